"""Files that Debian has not: what makes a tree Rocky Linux or CentOS, and differences that a switch must find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.elshaped.flavour import Flavour

_FILES = Path(__file__).parent / "files"
_HOSTS = "127.0.0.1 localhost localhost.localdomain\n::1 localhost localhost.localdomain\n"
_UNITS = "/usr/lib/systemd/system"


@dataclass(frozen=True)
class Planted:
    """A file of a package; a text that starts with `->` makes it a link."""

    path: str
    package: str
    text: str
    mode: int = 0o644


def planted(flavour: Flavour) -> Iterator[Planted]:
    """Everything that is planted for a distribution."""
    yield from _identity(flavour)
    yield from _setup(flavour)
    yield from _shell()
    for package, lines in flavour.sysusers.items():
        yield Planted(f"/usr/lib/sysusers.d/00-{package}.conf", package, lines)
    for file in sorted((_FILES / flavour.dist).rglob("*")):
        if file.is_file():
            package, _, path = file.relative_to(_FILES / flavour.dist).as_posix().partition("/")
            yield Planted(f"/{path}", package, file.read_text(), file.stat().st_mode & 0o755)
    for file in sorted((_FILES / "both").rglob("*")):
        if file.is_file():
            package, _, path = file.relative_to(_FILES / "both").as_posix().partition("/")
            yield Planted(f"/{path}", package, file.read_text(), file.stat().st_mode & 0o755)


def _identity(flavour: Flavour) -> Iterator[Planted]:
    package = flavour.release_package
    yield Planted(f"/etc/{package}", package, flavour.release_line + "\n")
    yield Planted("/etc/redhat-release", package, f"->{package}")
    yield Planted("/etc/system-release", package, f"->{package}")
    yield Planted("/etc/system-release-cpe", package, flavour.cpe + "\n")
    yield Planted("/usr/lib/os-release", package, flavour.os_release)
    yield Planted("/etc/os-release", package, "->../usr/lib/os-release")
    yield Planted("/usr/lib/systemd/system-preset/90-default.preset", package, flavour.presets())
    yield Planted("/usr/lib/systemd/system-preset/99-default-disable.preset", package, "disable *\n")


def _setup(flavour: Flavour) -> Iterator[Planted]:
    users = [line.split(":")[0] for line in flavour.passwd().splitlines()]
    groups = [line.split(":")[0] for line in flavour.group().splitlines()]
    locked = "".join(f"{name}:{'!locked' if name == 'root' else '*'}::0:99999:7:::\n" for name in users)
    yield Planted("/etc/passwd", "setup", flavour.passwd())
    yield Planted("/etc/group", "setup", flavour.group())
    yield Planted("/etc/shadow", "setup", locked, 0)
    yield Planted("/etc/gshadow", "setup", "".join(f"{name}:::\n" for name in groups), 0)
    yield Planted("/etc/hosts", "setup", _HOSTS)
    yield Planted("/etc/shells", "setup", "/bin/sh\n/bin/bash\n")
    yield Planted("/etc/fstab", "setup", "")
    yield Planted("/etc/profile", "setup", "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin\n")


def _shell() -> Iterator[Planted]:
    yield Planted("/etc/ld.so.conf", "glibc", "include ld.so.conf.d/*.conf\n/usr/lib64\n")
    yield Planted("/usr/bin/sh", "bash", "->bash")
    yield Planted("/usr/bin/awk", "gawk", "->mawk")
    yield Planted("/usr/bin/which", "which", '#!/bin/sh\ncommand -v "$@"\n', 0o755)
    yield Planted("/etc/sysconfig/network", "setup", "NETWORKING=yes\n")
    yield Planted("/etc/selinux/config", "selinux-policy", "SELINUX=disabled\nSELINUXTYPE=targeted\n")
