"""A machine looked at: everything that the plan of a set-up follows from. Nothing is changed."""

from __future__ import annotations

import grp
import pwd
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.host import net
from provisioner.host.run import run
from provisioner.model.written import Site
from provisioner.operations import live
from provisioner.operations.setup import filters
from provisioner.operations.setup.facts import Facts, ManagedFile, Unit, Wish
from provisioner.operations.setup.folders import Folder, read_folders
from provisioner.operations.setup.holders import OUR_UNIT, Holder, read_holders
from provisioner.operations.setup.needs import NEEDS, places
from provisioner.operations.setup.place import find_place
from provisioner.operations.setup.plan import COMMAND, SYSUSERS, TMPFILES, UNIT, USER
from provisioner.registry.load import SITE_FILE
from provisioner.registry.sources import Sources

SYSTEM = Path("/")
_PROCESSES = Path("/proc")
_ENABLED = Path("/etc/systemd/system/multi-user.target.wants") / OUR_UNIT
_BOOTED = Path("/run/systemd/system")
_SHIPPED = {"sysusers.conf": SYSUSERS, "tmpfiles.conf": TMPFILES, "provisioner.service": UNIT}
_PACKAGED = {UNIT: (Path("/usr/lib/systemd/system") / OUR_UNIT, Path("/lib/systemd/system") / OUR_UNIT)}


def paths_below(prefix: Path) -> Paths:
    """The paths of the system's own site, in a system whose root is `prefix`."""
    own = Paths.below(None)
    site, state, run_ = (below(prefix, each) for each in (own.site, own.state, own.run))
    return Paths(site, state, run_, data=own.data)


def below(prefix: Path, path: Path) -> Path:
    """A path of a system whose root is `prefix`."""
    return prefix / path.relative_to("/")


def look(wish: Wish, prefix: Path = SYSTEM) -> Facts:
    """Look at this machine, or at the one below `prefix`. Raises what `find_place` raises."""
    paths = paths_below(prefix)
    files = tuple(_files(paths, wish, prefix))
    folders = read_folders((_shipped(paths) / "tmpfiles.conf").read_text())
    site, fault = _site(paths)
    facts = Facts(
        place=find_place(net.interfaces(), wish.interface, wish.network),
        prefix=prefix,
        packager=next((each for each in ("apt-get", "dnf") if prefix == SYSTEM and _there(prefix, each)), ""),
        missing=tuple(each for each in NEEDS if not any(_there(prefix, name) for name in each.any_of)),
        has_user=_has_user(prefix),
        files=files,
        wanted_folders=folders,
        folders={path: _folder(prefix, path) for path in folders},
        has_command=_there(prefix, str(COMMAND)),
        has_site=paths.site_file.exists(),
        site=site,
        site_fault=fault,
        has_key=(paths.keys / "site.key").exists(),
        unit=Unit(enabled=below(prefix, _ENABLED).is_symlink(), active=None),
    )
    return _running(facts) if prefix == SYSTEM else facts


def _running(facts: Facts) -> Facts:
    """With what only a system that runs has: programs on its ports, a packet filter, services."""
    return replace(facts, holders=tuple(holders()), firewall=filters.firewall(facts.place), unit=_unit())


def holders() -> Iterator[Holder]:
    """The programs that hold ports of this machine, each with its systemd unit.

    A daemon of ours that somebody started by hand counts as our unit.
    """
    own = _daemon()
    for each in read_holders(run(["ss", "-H", "-lnptu"], timeout=30)):
        yield replace(each, unit=OUR_UNIT if each.pid and each.pid == own else unit_of(each.pid))


def unit_of(pid: int, processes: Path = _PROCESSES) -> str:
    """The systemd service or socket that a process belongs to (cgroups(7)); empty where it belongs to none."""
    try:
        lines = (processes / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return ""
    parts = (part for line in lines for part in reversed(line.split("/")))
    return next((part for part in parts if part.endswith((".service", ".socket"))), "")


def _daemon() -> int | None:
    """The process that answers on the control socket of the system's own site."""
    with suppress(ProvisionerError):
        told = live.status(Paths.below(None))
        return told["pid"] if told else None
    return None


def _files(paths: Paths, wish: Wish, prefix: Path) -> Iterator[ManagedFile]:
    wanted = {path: (_shipped(paths) / name).read_bytes() for name, path in _SHIPPED.items()}
    for path, content in (wanted | dict(wish.files)).items():
        packaged = any(below(prefix, each).exists() for each in _PACKAGED.get(path, ()))
        yield ManagedFile(path, content, _content(below(prefix, path)), packaged)


def _shipped(paths: Paths) -> Path:
    return paths.data / "packaging" / "systemd"


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _site(paths: Paths) -> tuple[Site | None, str]:
    content = _content(paths.site_file)
    if content is None:
        return None, ""
    site, _, problems = Sources({SITE_FILE: content}).site
    if site is None or problems:
        return site, f"{paths.site_file} has mistakes"
    return site, ""


def _there(prefix: Path, name: str) -> bool:
    if prefix == SYSTEM and not name.startswith("/") and shutil.which(name):
        return True
    return any(below(prefix, each).exists() for each in places(name))


def _has_user(prefix: Path) -> bool:
    if prefix == SYSTEM:
        with suppress(KeyError):
            return pwd.getpwnam(USER).pw_gid == grp.getgrnam(USER).gr_gid
        return False
    return USER in _names(prefix, "passwd").values() and USER in _names(prefix, "group").values()


def _folder(prefix: Path, path: Path) -> Folder | None:
    try:
        found = below(prefix, path).stat()
    except OSError:
        return None
    users, groups = _names(prefix, "passwd"), _names(prefix, "group")
    owner, group = (
        names.get(number, str(number)) for names, number in ((users, found.st_uid), (groups, found.st_gid))
    )
    return Folder(owner, group, stat.S_IMODE(found.st_mode))


def _names(prefix: Path, database: str) -> dict[int, str]:
    """Names by number, from a file of passwd(5) or group(5)."""
    content = _content(prefix / "etc" / database) or b""
    rows = (line.split(":") for line in content.decode(errors="replace").splitlines())
    return {int(row[2]): row[0] for row in rows if len(row) > 2 and row[2].isdecimal()}


def _unit() -> Unit | None:
    if not _BOOTED.is_dir():
        return None
    return Unit(enabled=_says("is-enabled"), active=_says("is-active"))


def _says(question: str) -> bool:
    with suppress(ProvisionerError):
        run(["systemctl", "--quiet", question, OUR_UNIT], timeout=30)
        return True
    return False
