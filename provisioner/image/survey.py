"""What a tree holds, without its packages: everything that an inventory says and that its own small files tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from provisioner.image import accounts, codec, inside, kernel, osrelease, programs, selinux, units
from provisioner.image.cpulevel import cpu_need
from provisioner.image.kernel import Kernel
from provisioner.model.inventory import ImageKernel, Init, Inventory

# What overlays may take over from an image. Nothing in it is secret: passwords and keys are kept elsewhere.
TEXTS = (
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/issue",
    "/etc/login.defs",
    "/etc/motd",
    "/etc/networks",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/profile",
    "/etc/protocols",
    "/etc/rpc",
    "/etc/services",
    "/etc/shells",
    "/etc/ssh/sshd_config",
    "/etc/subgid",
    "/etc/subuid",
)
# More that anybody may read, and that is no secret by its name: short files, and links to none.
_FOLDERS = {"/etc": re.compile(r"[\w.+-]+\.conf"), "/etc/default": re.compile(r"[\w.+-]+")}
_FOLDERS["/etc/sysconfig"] = _FOLDERS["/etc/default"]
_PRIVATE = re.compile(r"key|passw|private|secret|shadow|token", re.IGNORECASE)
# Settings that hold a password, though everybody on a node may read them: nobody shall carry them further.
_PASSWORD = re.compile(
    rb"""^[^#;\n]*(?:pass(?:wd|word|phrase)?|pw|secret|token)[\w-]*["']?\s*[=:]\s*\S"""
    rb"""|^\s*(?:root)?bindpw\s+\S""",
    re.IGNORECASE | re.MULTILINE,
)
_LIMIT = 1 << 18
_KEY = b"PRIVATE KEY-----"
_SHORT = 1 << 16
_ALL_TEXTS = 1 << 20
_READABLE_BY_ALL = 0o004
_SWITCHES = (
    "BLK_DEV_LOOP",
    "BLK_DEV_NBD",
    "BONDING",
    "BRIDGE",
    "DM_CRYPT",
    "DM_VERITY",
    "EROFS_FS",
    "INFINIBAND_IPOIB",
    "IPV6",
    "MODULE_SIG_FORCE",
    "NFS_FS",
    "OVERLAY_FS",
    "RD_GZIP",
    "RD_LZ4",
    "RD_XZ",
    "RD_ZSTD",
    "SQUASHFS",
    "SQUASHFS_LZ4",
    "SQUASHFS_XATTR",
    "SQUASHFS_XZ",
    "SQUASHFS_ZLIB",
    "SQUASHFS_ZSTD",
    "TMPFS",
    "TMPFS_POSIX_ACL",
    "TMPFS_XATTR",
    "VLAN_8021Q",
    "VXLAN",
)
_INITS = ("/sbin/init", "/lib/systemd/systemd")
_SHARED = re.compile(r"libsystemd-shared-([0-9][0-9A-Za-z.~_-]*)\.so")


def survey(root: Path) -> Inventory:
    """The facts of a tree, its packages left empty. Links are followed inside the tree only."""
    found = units.find(root)
    return Inventory(
        os=osrelease.assignments(osrelease.text(root)),
        kernels=tuple(_kernel(root, each) for each in kernel.every(root)),
        init=_init(root),
        units=found,
        users=accounts.users(_lines(root, "/etc/passwd")),
        groups=accounts.groups(_lines(root, "/etc/group")),
        network=programs.present(root, programs.NETWORK, found),
        services=programs.present(root, programs.SERVICES, found),
        package_manager=None,
        packages=(),
        texts=_texts(root),
        cpu=cpu_need(root),
        selinux=selinux.policy(root),
    )


def _kernel(root: Path, found: Kernel) -> ImageKernel:
    config = codec.configuration(root, found)
    chosen = {key: config[key] for key in _SWITCHES if config.get(key) in {"y", "m"}}
    return ImageKernel(release=found.release, has_modules=found.has_modules, config=chosen if config else None)


def _init(root: Path) -> Init | None:
    for path in _INITS:
        place = inside.follow(root, path)
        if place is not None and inside.is_regular(place):
            name = "".join(character for character in place.name if character.isprintable())
            return Init(name=name, version=_systemd_version(root) if name == "systemd" else "")
    return None


def _systemd_version(root: Path) -> str:
    """The version in the name of systemd's own library: Debian has its number there, others the package's too."""
    folders = ["/usr/lib", "/usr/lib64", *(f"/usr/lib/{each.name}" for each in inside.children(root, "/usr/lib"))]
    names = [file.name for folder in folders for file in inside.children(root, f"{folder}/systemd")]
    return next((match[1] for name in names if (match := _SHARED.fullmatch(name))), "")


def _texts(root: Path) -> Mapping[str, str]:
    found = {}
    size = 0
    for path, limit in (*((path, _LIMIT) for path in TEXTS), *((path, _SHORT) for path in _others(root))):
        content = _public(root, path, limit)
        # What is no text cannot be included in one.
        if content is None or b"\0" in content or _KEY in content:
            continue
        if path not in TEXTS and _PASSWORD.search(content):
            continue
        if size + len(content) <= _ALL_TEXTS:
            size += len(content)
            with suppress(UnicodeDecodeError):
                found[path] = content.decode()
    return found


def _others(root: Path) -> Iterator[str]:
    """Files of settings that a distribution may have, and that are their own."""
    for folder, pattern in _FOLDERS.items():
        for place in inside.children(root, folder):
            if pattern.fullmatch(place.name) and not _PRIVATE.search(place.name) and inside.is_regular(place):
                yield f"{folder}/{place.name}"


def _public(root: Path, path: str, limit: int = _LIMIT) -> bytes | None:
    """A file that anybody on a node can read; None for what is missing, closed or long."""
    place = inside.follow(root, path)
    # A link may lead to the image's own secrets, and the inventory is open to all.
    if place is None or not inside.is_regular(place) or not place.lstat().st_mode & _READABLE_BY_ALL:
        return None
    content = inside.read_regular(place, limit=limit + 1)
    return None if content is None or len(content) > limit else content


def _lines(root: Path, path: str) -> str:
    """A public file as text for a parser; names of people may be in an encoding of before UTF-8."""
    return (_public(root, path) or b"").decode("utf-8", "replace")
