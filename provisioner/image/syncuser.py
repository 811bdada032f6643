"""Give the users and groups of a tree other ids: in their files, and on every file that they own."""

from __future__ import annotations

import os
import stat
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import IntegrityError
from provisioner.host.files import write_atomically
from provisioner.image import accounts, inside
from provisioner.image.remap import Accounts, Remap

PASSWD, GROUP = "/etc/passwd", "/etc/group"

_LIMIT = 16 << 20
_CAPABILITY = "security.capability"
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
# include/uapi/linux/posix_acl.h and posix_acl_xattr.h: a version, then tag, permissions and id of each entry.
_ACL_HEAD, _ACL_ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_ACL_USER, _ACL_GROUP = 0x02, 0x08
# Where packages write numbers of users, if they do: tmpfiles.d(5) and sysusers.d(5).
_NUMBERED = ("/usr/lib/tmpfiles.d", "/etc/tmpfiles.d", "/usr/lib/sysusers.d", "/etc/sysusers.d")

Ids = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Census:
    """How many entries of a tree each user id and each group id owns; a file of many names counts once."""

    users: Counter[int]
    groups: Counter[int]

    def unnamed(self, known: Accounts) -> Accounts:
        """The ids that own files and have no name."""
        users, groups = ({number for _, number in each} for each in (known.users, known.groups))
        return Accounts(
            tuple(("", number) for number in sorted(set(self.users) - users)),
            tuple(("", number) for number in sorted(set(self.groups) - groups)),
        )


def parse(passwd: bytes, group: bytes) -> Accounts:
    """The accounts in the text of a passwd and of a group file."""
    users = accounts.users(passwd.decode("utf-8", "replace"))
    groups = accounts.groups(group.decode("utf-8", "replace"))
    return Accounts(
        tuple((each.name, each.uid) for each in users), tuple((each.name, each.gid) for each in groups)
    )


def read(tree: Path) -> Accounts:
    """The accounts of a tree; none where it has no such files."""
    return parse(*(inside.read(tree, path, limit=_LIMIT) or b"" for path in (PASSWD, GROUP)))


def count(tree: Path) -> Census:
    """Who owns what in a tree."""
    users: Counter[int] = Counter()
    groups: Counter[int] = Counter()
    for _, status in _entries(tree):
        users[status.st_uid] += 1
        groups[status.st_gid] += 1
    return Census(users, groups)


def apply(tree: Path, remap: Remap) -> tuple[str, ...]:
    """Move the ids of a tree, all at once: no file is touched twice. Returns what a person should look at.

    Set-id bits, capabilities, times and ACLs stay what they mean. Raises IntegrityError for a file of accounts
    that is none.
    """
    users, groups = remap.users.by_id, remap.groups.by_id
    for place, status in _entries(tree):
        _move(place, status, users, groups)
    _rewrite(tree, PASSWD, lambda line: _renumber(line, {2: users, 3: groups}))
    _rewrite(tree, GROUP, lambda line: _renumber(line, {2: groups}))
    _rewrite(tree, "/etc/subuid", lambda line: _renumber(line, {0: users}))
    _rewrite(tree, "/etc/subgid", lambda line: _renumber(line, {0: users}))
    return tuple(_numbers_left(tree, {str(old) for old in (*users, *groups)}))


def _entries(tree: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every entry with its status, each file once however many names it has."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(tree):
        places = [Path(folder)] if Path(folder) == tree else []
        for place in (*places, *(Path(folder, name) for name in (*folders, *names))):
            status = place.lstat()
            identity = (status.st_dev, status.st_ino)
            if stat.S_ISDIR(status.st_mode) or status.st_nlink == 1 or identity not in seen:
                seen.add(identity)
                yield place, status


def _move(place: Path, status: os.stat_result, users: Ids, groups: Ids) -> None:
    if not stat.S_ISLNK(status.st_mode):
        _move_acls(place, users, groups)
    uid, gid = users.get(status.st_uid, status.st_uid), groups.get(status.st_gid, status.st_gid)
    if (uid, gid) == (status.st_uid, status.st_gid):
        return
    regular = stat.S_ISREG(status.st_mode)
    capability = _xattr(place, _CAPABILITY) if regular else None
    os.lchown(place, uid, gid)
    # A change of owner takes these two away.
    if regular and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        place.chmod(stat.S_IMODE(status.st_mode))
    if capability is not None:
        os.setxattr(place, _CAPABILITY, capability, follow_symlinks=False)


def _move_acls(place: Path, users: Ids, groups: Ids) -> None:
    for name in _ACLS:
        content = _xattr(place, name)
        if content is None:
            continue
        entries = [_ACL_ENTRY.unpack_from(content, at) for at in range(4, len(content) - 7, 8)]
        ids = {_ACL_USER: users, _ACL_GROUP: groups}
        moved = [(tag, mode, ids.get(tag, {}).get(number, number)) for tag, mode, number in entries]
        if moved != entries:
            # The kernel wants the entries of a kind in order of their ids.
            ordered = sorted(moved, key=lambda entry: (entry[0], entry[2]))
            packed = b"".join(_ACL_ENTRY.pack(*entry) for entry in ordered)
            os.setxattr(place, name, content[: _ACL_HEAD.size] + packed, follow_symlinks=False)


def _xattr(place: Path, name: str) -> bytes | None:
    with suppress(OSError):
        return os.getxattr(place, name, follow_symlinks=False)
    return None


def _rewrite(tree: Path, path: str, change: Callable[[bytes], bytes]) -> None:
    """Change the lines of a file of the tree, if it is there, and put the new one into its place at once."""
    place = inside.resolve(tree, path)
    if not inside.is_regular(place):
        return
    before = place.lstat()
    content = inside.read_regular(place, limit=_LIMIT + 1) or b""
    if len(content) > _LIMIT:
        raise IntegrityError(f"{path} of the image is longer than {_LIMIT >> 20} MiB: no file of accounts")
    after = b"\n".join(map(change, content.split(b"\n")))
    if after == content:
        return
    write_atomically(place, after, mode=stat.S_IMODE(before.st_mode))
    os.chown(place, before.st_uid, before.st_gid)
    place.chmod(stat.S_IMODE(before.st_mode))


def _renumber(line: bytes, ids: Mapping[int, Ids]) -> bytes:
    """A line of fields between colons, with other numbers in some of them; what is no number stays."""
    fields = line.split(b":")
    for index, known in ids.items():
        if index < len(fields) and fields[index].isdigit():
            number = int(fields[index])
            fields[index] = b"%d" % known.get(number, number) if number in known else fields[index]
    return b":".join(fields)


def _numbers_left(tree: Path, moved: set[str]) -> Iterator[str]:
    """Files of packages that name an account by a number that moved: they take effect when a node boots."""
    for folder in _NUMBERED:
        for file in inside.children(tree, folder):
            content = inside.read_regular(file, limit=_LIMIT) or b""
            lines = [line for line in content.decode("utf-8", "replace").splitlines() if not line.startswith("#")]
            found = sorted({word for line in lines for word in _ids_in(line, folder)} & moved)
            if found:
                yield f"{folder}/{file.name} names {', '.join(found)} by number, which moved"


def _ids_in(line: str, folder: str) -> list[str]:
    words = line.split()
    # sysusers.d: type, name, id or uid:gid. tmpfiles.d: type, path, mode, user, group.
    return words[2].split(":") if folder.endswith("sysusers.d") and len(words) > 2 else words[3:5]
