"""Users and groups of an image: passwd(5) and group(5), without their passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from provisioner.model.inventory import Group, User

T = TypeVar("T")

_USER_FIELDS = 7
_GROUP_FIELDS = 4


def users(text: str) -> tuple[User, ...]:
    """The users in a passwd file, in file order; lines that are none are left out."""
    return tuple(_parsed(text, _user))


def groups(text: str) -> tuple[Group, ...]:
    """The groups in a group file, in file order; lines that are none are left out."""
    return tuple(_parsed(text, _group))


def _parsed(text: str, parse: Callable[[list[str]], T]) -> Iterator[T]:
    for line in text.splitlines():
        # A line that could move a terminal's cursor is no account that anybody made on purpose.
        if line.isprintable() and not line.startswith(("#", ":", "+", "-")):
            try:
                yield parse(line.split(":"))
            except ValueError:
                continue


def _user(fields: list[str]) -> User:
    if len(fields) != _USER_FIELDS:
        raise ValueError("not a line of passwd")
    name, _, uid, gid, _, home, shell = fields
    return User(name=name, uid=_identifier(uid), gid=_identifier(gid), home=home, shell=shell)


def _group(fields: list[str]) -> Group:
    if len(fields) != _GROUP_FIELDS:
        raise ValueError("not a line of group")
    name, _, gid, members = fields
    return Group(name=name, gid=_identifier(gid), members=tuple(filter(None, members.split(","))))


def _identifier(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ValueError("not a number of a user or group")
    return int(text)
