"""Remove from a tree what belongs to one machine, to its builder or to nobody: identity, secrets, caches."""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import Path, PurePosixPath

from provisioner.image import inside

# Stars stand for any characters of the last part. The folders themselves stay.
_LEFTOVERS = (
    # Identity of the machine that built the image. Nodes get theirs from overlays.
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssh/ssh_host_*_key.pub",
    "/etc/dropbear/dropbear_*_host_key",
    "/var/lib/dbus/machine-id",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/credential.secret",
    "/var/lib/urandom/random-seed",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/seen-bssids",
    # Networks of that machine. A profile for a card that the node lacks keeps the network from coming up.
    "/etc/NetworkManager/system-connections/*",
    "/etc/sysconfig/network-scripts/ifcfg-e*",
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/var/lib/dhcp/*",
    "/var/lib/dhclient/*",
    "/var/lib/NetworkManager/*.lease",
    # What containers have and machines have not.
    "/.dockerenv",
    "/run/.containerenv",
    # An initramfs of the distribution; stage 1 takes its place.
    "/boot/initrd.img-*",
    "/boot/initramfs-*.img",
    # Caches and logs.
    "/var/cache/apt/*.bin",
    "/var/cache/apt/archives/*.deb",
    "/var/cache/debconf/*-old",
    "/var/cache/dnf/*",
    "/var/cache/ldconfig/aux-cache",
    "/var/cache/yum/*",
    "/var/lib/apt/lists/*_*",
    "/var/lib/dpkg/*-old",
    "/var/log/apt/*",
    "/var/log/*.log",
    "/var/log/dnf.*",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/group-",
    "/etc/gshadow-",
)

_MACHINE_ID = "/etc/machine-id"
_UNINITIALIZED = b"uninitialized\n"


def tidy(root: Path) -> tuple[str, ...]:
    """Clean a tree up and return the paths that went, sorted.

    The machine's identity becomes `uninitialized` (machine-id(5)), so that every node makes its own at first boot.
    Links of the image are followed inside the image only.
    """
    removed = [path for pattern in _LEFTOVERS for path in _remove(root, pattern)]
    if _reset_machine_id(root):
        removed.append(_MACHINE_ID)
    return tuple(sorted(removed))


def _remove(root: Path, pattern: str) -> list[str]:
    pure = PurePosixPath(pattern)
    folder = inside.resolve(root, str(pure.parent))
    if not folder.is_dir():
        return []
    found = [entry for entry in folder.iterdir() if fnmatch.fnmatchcase(entry.name, pure.name)]
    for entry in found:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return [str(pure.parent / entry.name) for entry in found]


def _reset_machine_id(root: Path) -> bool:
    """Whether there was an identity to forget."""
    place = inside.locate(root, _MACHINE_ID)
    if not place.parent.is_dir():
        return False
    known = inside.read_regular(place, limit=64) or b""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    with place.open("xb") as stream:
        stream.write(_UNINITIALIZED)
    place.chmod(0o444)
    return known.strip() not in (b"", _UNINITIALIZED.strip())
