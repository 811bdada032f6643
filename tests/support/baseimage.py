"""A base in the store that takes no time to make: busybox, accounts and files of many owners."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.image.build import Obtained, build
from provisioner.model.image import Generation, Origin
from tests.support import busybox

PASSWD = "root:x:0:0:root:/root:/bin/sh\nmunge:x:998:997:Munge::/bin/false\npolkitd:x:991:990::/:/bin/false\n"
GROUP = "root:x:0:\nmunge:x:997:\npolkitd:x:990:\nslurm:x:995:munge\n"
# capabilities(7): version 2, cap_net_raw effective and permitted.
_ACL = "system.posix_acl_access"
_OWNER, _USER, _GROUP, _NONE = 1, 2, 8, 0xFFFFFFFF
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def fill(tree: Path) -> Path:
    """The tree of the base."""
    busybox.tree(tree)
    tree.chmod(0o755)
    (tree / "etc/passwd").write_text(PASSWD)
    (tree / "etc/group").write_text(GROUP)
    (tree / "etc/shadow").write_text("root:*:1::::::\nmunge:!:1::::::\n")
    (tree / "etc/subuid").write_text("munge:100000:65536\n998:200000:65536\n")
    (tree / "etc/os-release").write_text('ID=tiny\nVERSION_ID="1"\nPRETTY_NAME="Tiny 1"\n')
    _own(tree / "etc/munge.key", 998, 997, 0o400)
    _own(tree / "bin/munged", 998, 997, 0o6755)
    _own(tree / "bin/polkit", 991, 990, 0o755)
    os.setxattr(tree / "bin/polkit", "security.capability", CAPABILITY)
    _own(tree / "var/orphan", 4242, 4242, 0o600)
    (tree / "etc/munge.hard").hardlink_to(tree / "etc/munge.key")
    (tree / "etc/munge.link").symlink_to("munge.key")
    os.chown(tree / "etc/munge.link", 998, 997, follow_symlinks=False)
    return tree


def make(paths: Paths, name: str = "tiny") -> Generation:
    """The base as the first generation of an image."""

    def obtain(tree: Path) -> Obtained:
        fill(tree)
        return Obtained(Origin(kind="directory", reference="tests"), 1_700_000_000, may_be_base=True)

    return build(paths, name, obtain, say=lambda _: None).generation


def set_acl(place: Path, *, users: Sequence[int], groups: Sequence[int]) -> None:
    """Let some users and groups read a file by an access list (acl(5), in the form that the kernel keeps)."""
    named = [*((_USER, number) for number in users), *((_GROUP, number) for number in groups)]
    entries = [(_OWNER, 6, _NONE), (4, 4, _NONE), (0x10, 4, _NONE), (0x20, 0, _NONE)]
    entries += [(tag, 4, number) for tag, number in named]
    packed = b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries))
    os.setxattr(place, _ACL, struct.pack("<I", 2) + packed)


def acl(place: Path) -> tuple[list[int], list[int]]:
    """The users and groups that an access list names, in its order."""
    found = list(struct.iter_unpack("<HHI", os.getxattr(place, _ACL)[4:]))
    return [each[2] for each in found if each[0] == _USER], [each[2] for each in found if each[0] == _GROUP]


def _own(place: Path, uid: int, gid: int, mode: int) -> None:
    place.parent.mkdir(exist_ok=True)
    place.write_text(place.name)
    os.chown(place, uid, gid)
    place.chmod(mode)
