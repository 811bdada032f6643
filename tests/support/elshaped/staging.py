"""A Debian tree rearranged into an el-shaped one, with the package that each file will be in."""

from __future__ import annotations

import os
import re
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.elshaped.debian import DebianTree
from tests.support.elshaped.flavour import Flavour
from tests.support.elshaped.names import name_of, place_of
from tests.support.elshaped.planted import Planted, planted

LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/sbin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    # Debian's programs look for some of their libraries here.
    "usr/lib/x86_64-linux-gnu": "../lib64",
    "etc/init.d": "rc.d/init.d",
    "var/run": "../run",
    "var/lock": "../run/lock",
}
_FOLDERS = [
    "usr/bin",
    "usr/sbin",
    "usr/lib/modules",
    "usr/lib64",
    "usr/libexec",
    "usr/local/bin",
    "usr/share",
    "usr/src",
    "etc/rc.d/init.d",
    "etc/sysconfig",
    "etc/yum.repos.d",
    "home",
    "media",
    "mnt",
    "opt",
    "root",
    "srv",
    "boot",
    "dev",
    "proc",
    "run",
    "sys",
    "tmp",
    "var/tmp",
    "var/log",
    "var/cache",
    "var/spool",
    "var/lib/rpm",
    "var/lib/munge",
    "var/log/munge",
]
# Written by scripts of Debian's packages, so in no list of theirs.
_UNLISTED = {
    **{f"/etc/pam.d/common-{name}": "pam" for name in ("auth", "account", "password", "session")},
    "/etc/pam.d/common-session-noninteractive": "pam",
    "/etc/ssh/sshd_config": "openssh-server",
    "/etc/chrony/chrony.conf": "chrony",
    "/etc/nsswitch.conf": "glibc",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
}
# Modules of the small kernel package; the rest is for hardware.
_CORE = re.compile(
    r"/kernel/(arch|crypto|lib|fs/(squashfs|overlayfs|ext4|jbd2|fat|nls|isofs|mbcache)|net/(core|packet|ipv6|8021q)"
    r"|drivers/(net/(virtio_net|net_failover|bonding|dummy|veth|ethernet/intel/e1000e?)|block|virtio|char/hw_random))"
)
_KEPT_LISTS = ("modules.builtin", "modules.builtin.modinfo", "modules.order")


@dataclass
class Stage:
    """A folder that becomes packages: `owners` has the package of every path but folders."""

    flavour: Flavour
    root: Path
    owners: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, flavour: Flavour, debian: DebianTree, root: Path) -> Stage:
        """Fill a new folder."""
        stage = cls(flavour, root)
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for link, target in LINKS.items():
            (root / link).symlink_to(target)
        stage.bring_programs(debian)
        stage.bring_kernel(debian, debian.kernels()[flavour.kernel])
        for each in planted(flavour):
            stage.plant(each)
        stage.rewrite()
        return stage

    def bring_programs(self, debian: DebianTree) -> None:
        """Copy what Debian's packages brought, files before links: two paths of Debian may become one."""
        wanted = [(name_of(package), path) for package, path in debian.paths()] + [
            (package, path) for path, package in _UNLISTED.items() if debian.place(path).exists()
        ]
        found = [(package, path) for package, path in wanted if package and package not in self.flavour.lacks]
        for package, path in sorted(found, key=lambda pair: debian.place(pair[1]).is_symlink()):
            place = place_of(path)
            if place is not None:
                self.bring(debian, path, place, package)

    def bring(self, debian: DebianTree, path: str, place: str, package: str) -> None:
        """Copy one entry of Debian's tree to its place in a package."""
        source, target = debian.place(path), self.place(place)
        status = source.lstat()
        if stat.S_ISDIR(status.st_mode):
            target.mkdir(parents=True, exist_ok=True)
            return
        if os.path.lexists(target):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISLNK(status.st_mode):
            aim = _aim(debian, path, place)
            if aim is None:
                return
            target.symlink_to(aim)
        else:
            shutil.copy2(source, target)
            target.chmod(stat.S_IMODE(status.st_mode) & ~stat.S_ISGID)
        self.owners[place] = package

    def bring_kernel(self, debian: DebianTree, release: str) -> None:
        """A kernel in the layout of the distribution: all in the folder of its modules, or parts in /boot."""
        modules = f"/usr/lib/modules/{release}"
        core, rest = ("kernel", "kernel") if self.flavour.major == 7 else ("kernel-core", "kernel-modules")
        for name in ("vmlinuz", "config", "System.map"):
            place = f"/boot/{name}-{release}" if self.flavour.major == 7 else f"{modules}/{name}"
            self.bring(debian, f"/boot/{name}-{release}", place, core)
        for file in sorted(debian.place(modules).rglob("*")):
            path = f"/{file.relative_to(debian.root)}"
            if file.name in _KEPT_LISTS or (file.suffix == ".ko" and _CORE.search(path)):
                self.bring(debian, path, path, rest if "/drivers/" in path else core)

    def plant(self, each: Planted) -> None:
        """Write a file that is not Debian's."""
        place = self.place(each.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        if each.text.startswith("->"):
            place.symlink_to(each.text.removeprefix("->"))
        else:
            place.write_text(each.text)
            place.chmod(each.mode)
        self.owners[each.path] = each.package

    def rewrite(self) -> None:
        """Change what Debian has set up its own way: where rpm keeps its database, and in which form."""
        macros = self.place("/usr/lib/rpm/macros")
        text = re.sub(r"(?m)^(%_dbpath\s+).*", r"\1/var/lib/rpm", macros.read_text())
        if self.flavour.major == 7:
            text = re.sub(r"(?m)^(%_db_backend\s+).*", r"\1bdb_ro", text)
        macros.write_text(text)
        self.place("/usr/sbin/unix_chkpwd").chmod(0o4755)

    def folders(self) -> list[str]:
        """Every folder, for the one package that owns them all."""
        found = [Path(top, name) for top, names, _ in os.walk(self.root) for name in names]
        return ["/", *sorted(f"/{each.relative_to(self.root)}" for each in found if not each.is_symlink())]

    def kernel_release(self) -> str:
        """What uname -r will say."""
        return next(each.name for each in self.place("/usr/lib/modules").iterdir())

    def place(self, path: str) -> Path:
        """Where a path lies, the links of the layout followed."""
        return self.root / path.lstrip("/")


def _aim(debian: DebianTree, path: str, place: str) -> str | None:
    """What a link points to in its new place; None when that is the link itself."""
    target = str(debian.place(path).readlink())
    if target.startswith("/etc/alternatives/") and os.path.lexists(debian.place(target)):
        target = str(debian.place(target).readlink())
    full = os.path.normpath(Path(path).parent / target)
    if full.startswith(("/dev", "/run", "/proc")):
        return target
    full = place_of(full) or full
    return None if full == place else os.path.relpath(full, Path(place).parent)
