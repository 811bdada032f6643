"""Resolved nodes as plain data in the shape in which people write them, for listings, filters and differences.

What the snapshot keeps as `kernel_args` is `kernel: {args: ...}` here, and interfaces have their names as keys, so
that a dotted path means the same in a file, on the command line and in what is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provisioner.model.steps import dotted, split

Record = Mapping[str, Any]

# Fields of a resolved node that are written below another name.
_MOVED = {
    "system_overlays": ("overlays", "system"),
    "runtime_overlays": ("overlays", "runtime"),
    "kernel_version": ("kernel", "version"),
    "kernel_args": ("kernel", "args"),
}
_PLAIN = (
    *(
        "name",
        "groups",
        "domain",
        "cluster",
        "comment",
        "image",
        "root",
        "boot",
        "tpm",
        "init",
        "script",
        "tags",
        "resources",
        "primary",
    ),
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
    """Dotted paths and values; lists are values, an empty map is none. Keys that hold dots are in quotes."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            step = dotted((str(key),))
            yield from flat(inner, f"{path}.{step}" if path else step)
    else:
        yield path, value


def at(record: Record, path: str) -> Any:
    """The value at a dotted path, or None; a key may hold dots itself, without quotes too (`tags.room.row`)."""
    return record[path] if path in record else _at(record, split(path))


def _at(record: Record, steps: Sequence[str]) -> Any:
    # Step by step first, as the path of a field is read: `resources.a.b` is b of a where there is an a.
    for end in range(1, len(steps)):
        inner = record.get(".".join(steps[:end]))
        if isinstance(inner, Mapping) and (found := _at(inner, steps[end:])) is not None:
            return found
    return record.get(".".join(steps))


def _unnamed(interface: Record) -> dict[str, Any]:
    made = dict(interface)
    del made["name"]
    if address := made.pop("infiniband_address", None):
        made["mac"] = address
    return made
