"""Filters for the files that system programs read: units, fstab, sudoers, tmpfiles, sfdisk and the like.

Each either writes a value so that its reader sees exactly that value, or refuses it with UnsafeValueError.
"""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from provisioner.model.address import Address
from provisioner.model.hostnames import host_names
from provisioner.model.resolved import ResolvedNode
from provisioner.model.resource import typed_resource
from provisioner.model.secret import redacted
from provisioner.render.escape import Multiline, UnsafeValueError, one_line
from provisioner.render.ignition import ignition

_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}")
_GENDERS = re.compile(r"[A-Za-z0-9_./:@+-]+")
_SFDISK = re.compile(r"[A-Za-z0-9_.-]+")
_UNIT_PLAIN = re.compile(r"[A-Za-z0-9:_.]")
_FSTAB = {" ": "\\040", "\t": "\\011", "\n": "\\012", "\\": "\\134"}
_SUDOERS = re.compile(r"[A-Za-z0-9_./*?@%+=:, -]+")


def _text(value: object) -> str:
    """The value as one line of text."""
    return str(one_line(str(value)))


def _matching(pattern: re.Pattern[str], value: object, expected: str) -> str:
    text = _text(value)
    if not pattern.fullmatch(text):
        raise UnsafeValueError(f"{text!r} is not {expected}")
    return text


def zone(value: object) -> str:
    """A time zone of the IANA database, `Europe/Berlin`: a path below zoneinfo that leaves it nowhere."""
    return _matching(_ZONE, value, "a time zone such as Europe/Berlin")


def host(value: object) -> str:
    """A host name or an address, with a port perhaps; never an option."""
    return _matching(_HOST, value, "a host name or an address")


def sfdisk(value: object) -> str:
    """A value in a script of sfdisk, whose fields end at a comma."""
    return _matching(_SFDISK, value, "a word that sfdisk can read")


def issue(value: object) -> str:
    """Text in the file issue, where a backslash starts an escape of agetty."""
    return _text(value).replace("\\", "\\\\")


def fstab(value: object) -> str:
    """One field of the file fstab: blanks and backslashes as octal numbers."""
    text = _text(value)
    if not text or text.startswith("#"):
        raise UnsafeValueError(f"{text!r} cannot be a field of fstab")
    return "".join(_FSTAB.get(char, char) for char in text)


def systemd_name(value: object) -> str:
    """A text as part of a unit's name (systemd.unit(5), as systemd-escape writes it)."""
    text = _text(value)
    escaped = "".join(
        "-" if char == "/" else char if _plain(char, first=not place) else _hex(char)
        for place, char in enumerate(text)
    )
    if not escaped:
        raise UnsafeValueError("an empty text cannot be the name of a unit")
    return escaped


def systemd_path(value: object) -> str:
    """A path as the name of its unit, as `systemd-escape --path` writes it."""
    text = _text(value)
    parts = [part for part in text.split("/") if part]
    if not text.startswith("/") or "." in parts or ".." in parts:
        raise UnsafeValueError(f"{text!r} is not an absolute path without . and ..")
    return systemd_name("/".join(parts)) if parts else "-"


def systemd_value(value: object) -> str:
    """The value of a setting in a unit: `%` starts a specifier, a backslash at the end continues the line."""
    text = _text(value)
    if not text or text != text.strip() or text.endswith("\\"):
        raise UnsafeValueError(f"{text!r} cannot be the value of a unit's setting")
    return text.replace("%", "%%")


def systemd_word(value: object) -> str:
    """One word of a command line in a unit, quoted."""
    text = _text(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("%", "%%").replace("$", "$$") + '"'


def tmpfiles(value: object) -> str:
    """The argument of a line of tmpfiles.d(5). It may have several lines: their ends are written as escapes."""
    lines = [_text(line) for line in str(value).split("\n")]
    text = "\\n".join(line.replace("\\", "\\\\") for line in lines)
    if text != text.strip():
        raise UnsafeValueError(f"{text!r} starts or ends with a blank")
    return text.replace("%", "%%")


def sudoers(value: object) -> str:
    """A command in the file sudoers: `ALL`, or a path with arguments."""
    text = _matching(_SUDOERS, value, "a command that sudoers can hold")
    if text != "ALL" and not text.startswith("/"):
        raise UnsafeValueError(f"{text!r} is not ALL and not the absolute path of a command")
    return re.sub(r"([=:,])", r"\\\1", text)


def genders(node: ResolvedNode) -> str:
    """The attributes of a node in the file genders: its groups, and the tags that the format can hold.

    There is no quoting in that format: a tag with a blank or a comma is left out. A tag wins over a group of
    the same name, because an attribute may occur once.
    """
    fitting = {
        key: value for key, value in node.tags.items() if _GENDERS.fullmatch(key) and _GENDERS.fullmatch(value)
    }
    names = [name for name in node.groups if name not in fitting]
    return ",".join([*names, *(f"{key}={value}" for key, value in sorted(fitting.items()))])


def resolver_order(preferred: Iterable[Address], others: Iterable[Address]) -> list[Address]:
    """Name servers for resolv.conf(5), each once; the C library reads no more than three."""
    return list(dict.fromkeys([*preferred, *others]))[:3]


def json(value: object) -> str:
    """Any value as JSON with sorted keys and stars for secrets: a model, a map, a list, a text."""
    return Multiline(jsonlib.dumps(value, indent=2, sort_keys=True, default=_plain_data))


def _plain_data(value: object) -> Any:
    if isinstance(value, ResolvedNode):
        return redacted(value.model_dump(mode="json", exclude={"provenance"}))
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__slots__") and hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return str(value)


def resource(resources: Mapping[str, Any], name: str) -> Any:
    """The checked value of one of the resources that shipped overlays know; empty where a node has none.

    Raises UnsafeValueError that names the field and what was expected.
    """
    try:
        return typed_resource(resources, name)
    except ValueError as error:
        raise UnsafeValueError(str(error)) from None


def _plain(char: str, *, first: bool) -> bool:
    return _UNIT_PLAIN.fullmatch(char) is not None and not (first and char == ".")


def _hex(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode())


QUOTERS = {
    filter_.__name__: filter_
    for filter_ in (
        *(zone, host, sfdisk, issue, fstab, systemd_name, systemd_path, systemd_value, systemd_word),
        *(tmpfiles, sudoers, genders, host_names, resolver_order, json, resource, ignition),
    )
}
