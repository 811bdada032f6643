"""Resolved nodes as plain data in the shape in which people write them, for listings, filters and differences.

What the snapshot keeps as `kernel_args` is `kernel: {args: ...}` here, and interfaces have their names as keys, so
that a dotted path means the same in a file, on the command line and in what is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]

# Fields of a resolved node that are written below another name.
_MOVED = {
    "root": ("root", "kind"),
    "system_overlays": ("overlays", "system"),
    "runtime_overlays": ("overlays", "runtime"),
    "kernel_version": ("kernel", "version"),
    "kernel_args": ("kernel", "args"),
}
_PLAIN = (
    *("name", "groups", "domain", "cluster", "comment", "image", "init", "script", "tags", "resources", "primary"),
    *("interfaces", "bmc", "disks", "filesystems", "uuid", "serial", "asset", "discoverable"),
)
# What the interface that boots has, which is what people look for most.
DERIVED = ("interface", "mac", "ip", "ip6")
ROOTS = frozenset({*_PLAIN, *DERIVED, *(path[0] for path in _MOVED.values())})


def nested(record: Record) -> dict[str, Any]:
    """A resolved node, or some of its fields, in the shape of an entry.

    `record` is what `Published.records` and `model_dump(mode="json")` give.
    """
    made: dict[str, Any] = {}
    for field, value in record.items():
        if field in _MOVED:
            first, second = _MOVED[field]
            made.setdefault(first, {})[second] = value
        elif field == "interfaces":
            made[field] = {each["name"]: _unnamed(each) for each in value}
        else:
            made[field] = value
    return made


def shown(record: Record) -> dict[str, Any]:
    """The same with what the interface that boots has: `interface`, `mac`, and `ip` and `ip6` without prefix."""
    made = nested(record)
    primary = made["primary"]
    boot = made["interfaces"].get(primary, {})
    addresses = ((key, boot.get(key)) for key in ("ip", "ip6"))
    made |= {"interface": primary, "mac": boot.get("mac")}
    return made | {key: value and value.partition("/")[0] for key, value in addresses}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths and values; lists are values, an empty map is none."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def at(record: Record, path: str) -> Any:
    """The value at a dotted path, or None; a key may hold dots itself (`interfaces.eth0.100.ip`)."""
    if path in record:
        return record[path]
    for end in (index for index, letter in enumerate(path) if letter == "."):
        inner = record.get(path[:end])
        if isinstance(inner, Mapping) and (found := at(inner, path[end + 1 :])) is not None:
            return found
    return None


def _unnamed(interface: Record) -> dict[str, Any]:
    return {key: value for key, value in interface.items() if key != "name"}
