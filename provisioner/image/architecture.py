"""Processors: `linux/amd64` of containers, `x86_64` of kernels, and what the programs in a tree are made for."""

from __future__ import annotations

from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.image import inside

BOOTABLE = "linux/amd64"
"""The platform that is taken where nobody says another."""

_MACHINES = {
    "linux/amd64": "x86_64",
    "linux/386": "i686",
    "linux/arm64": "aarch64",
    "linux/arm": "armv7l",
    "linux/ppc64le": "ppc64le",
    "linux/s390x": "s390x",
    "linux/riscv64": "riscv64",
}
# e_machine of the ELF header (System V gABI, chapter 4).
_ELF = {62: "amd64", 3: "386", 183: "arm64", 40: "arm", 21: "ppc64le", 22: "s390x", 243: "riscv64"}
_PROGRAMS = ("/bin/sh", "/usr/bin/env", "/bin/busybox", "/sbin/init", "/lib/systemd/systemd", "/bin/ls")


def check(platform: str) -> str:
    """A platform that people typed; ProvisionerError for one that is not known."""
    if platform not in _MACHINES:
        raise ProvisionerError(f"{platform!r} is no platform", hint=f"one of {', '.join(_MACHINES)}")
    return platform


def machine(platform: str) -> str:
    """What `uname -m` says on a platform; that of the nodes where the platform is not known."""
    return _MACHINES.get(platform, _MACHINES[BOOTABLE])


def of_tree(root: Path) -> str:
    """The platform that a tree's programs are made for; "" where it has none of those that tell."""
    places = (inside.follow(root, path) for path in _PROGRAMS)
    heads = (inside.read_regular(place, limit=20) or b"" for place in places if place is not None)
    found = next((head for head in heads if head.startswith(b"\x7fELF") and len(head) == 20), None)
    if found is None:
        return ""
    name = _ELF.get(int.from_bytes(found[18:20], "big" if found[5] == 2 else "little"))
    return f"linux/{name}" if name else ""


def demand(found: str, wanted: str, source: str) -> None:
    """ProvisionerError unless what a source holds is for the platform that is wanted; unknown ones pass."""
    if found and found != wanted:
        hint = f"--platform {found} imports it all the same; nodes boot linux/amd64 and linux/arm64"
        raise ProvisionerError(f"{source} is for {found}, not for {wanted}", hint=hint)
