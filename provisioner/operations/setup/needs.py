"""Programs and files that a head node needs, and the packages that bring them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provisioner.operations.setup.steps import Run, Step

_APT, _DNF = "apt-get", "dnf"


@dataclass(frozen=True, slots=True)
class Need:
    """One of these programs (or files, where it starts with a slash), and the package on Debian and on EL."""

    any_of: tuple[str, ...]
    debian: str
    el: str


NEEDS = (
    Need(("/usr/lib/ipxe/undionly.kpxe", "/usr/share/ipxe/undionly.kpxe"), "ipxe", "ipxe-bootimgs-x86"),
    Need(("dracut",), "dracut-core", "dracut"),
    Need(("mksquashfs",), "squashfs-tools", "squashfs-tools"),
    Need(("zstd",), "zstd", "zstd"),
    Need(("modinfo",), "kmod", "kmod"),
    Need(("skopeo",), "skopeo", "skopeo"),
    Need(("curl",), "curl", "curl"),
    Need(("perl",), "perl-base", "perl-interpreter"),
    Need(("openssl",), "openssl", "openssl"),
    Need(("sfdisk",), "fdisk", "util-linux"),
    Need(("mkfs.ext4",), "e2fsprogs", "e2fsprogs"),
    Need(("setcap",), "libcap2-bin", "libcap"),
    Need(("gpgv",), "gpgv", "gnupg2"),
    Need(("mmdebstrap", "dnf"), "mmdebstrap", "dnf"),
)
_SBIN = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def places(name: str) -> tuple[Path, ...]:
    """Where a program may lie, or the one place of a file."""
    return (Path(name),) if name.startswith("/") else tuple(Path(folder) / name for folder in _SBIN)


def packages_step(missing: tuple[Need, ...], packager: str, *, wanted: bool) -> Step:
    """The packages to install with `apt-get`, `dnf`, or by hand where there is neither or nobody wants it."""
    if not missing:
        return Step("packages", "all that images and boots need is installed")
    names = sorted({each.el if packager == _DNF else each.debian for each in missing})
    found = f"not installed: {' '.join(names)}"
    if not wanted or not packager:
        by_hand = f"{packager or 'install'} {'install ' if packager else ''}{' '.join(names)}"
        return Step("packages", found, by_hand=by_hand)
    return Step("packages", found, f"install {' '.join(names)}", tuple(_commands(packager, names)))


def _commands(packager: str, names: list[str]) -> list[Run]:
    if packager == _DNF:
        return [Run((_DNF, "--quiet", "--assumeyes", "install", *names), 1800)]
    install = ("env", "DEBIAN_FRONTEND=noninteractive", _APT, "install", "--quiet", "--yes")
    return [
        Run((_APT, "update", "--quiet"), 600),
        Run((*install, "--no-install-recommends", *names), 1800),
    ]
