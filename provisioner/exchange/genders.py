"""A genders(5) file, which pdsh and nodeattr read: attributes of nodes, those that are alike in one line."""

from __future__ import annotations

import re

from provisioner.exchange.inventory import Exported, Inventory, Record, usable
from provisioner.model.nodeset import fold

# White space, commas and `#` end something in a line; `%` is for genders' own substitutions, and has an escape.
_ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VALUE = re.compile(r"[!-\"$-+\--~]+")
_LONGEST_LINE = 60_000


def export_genders(inventory: Inventory) -> Exported:
    """Groups are attributes, tags are attributes with a value, and so are `image` and `cluster`."""
    left_out: list[str] = []
    alike: dict[tuple[str, ...], list[str]] = {}
    for record in usable(inventory.records, left_out):
        for attribute in _attributes(record, left_out):
            alike.setdefault((attribute,), []).append(record["name"])
        if not record["groups"] and not record["tags"]:
            alike.setdefault((), []).append(record["name"])
    grouped: dict[str, list[str]] = {}
    for attributes, names in alike.items():
        grouped.setdefault(fold(names), []).extend(attributes)
    lines = [_line(names, attributes) for names, attributes in grouped.items()]
    return Exported("".join(f"{line}\n" for line in lines), tuple(dict.fromkeys(left_out)))


def _attributes(record: Record, left_out: list[str]) -> list[str]:
    found: dict[str, str] = {}
    values = {key: record[key] for key in ("image", "cluster") if record.get(key)}
    for name, value in {**values, **record["tags"]}.items():
        text = str(value).replace("%", "%%")
        if _ATTRIBUTE.fullmatch(name) and _VALUE.fullmatch(text):
            found[name] = f"{name}={text}"
        elif _ATTRIBUTE.fullmatch(name) and not text:
            found[name] = name
        else:
            left_out.append(f"{name!r} of {record['name']}: genders cannot say {value!r}")
    for group in record["groups"]:
        if not _ATTRIBUTE.fullmatch(group):
            left_out.append(f"the group {group!r}: not an attribute of genders")
        elif group in found:
            left_out.append(f"the group {group} of {record['name']}: a tag has the same name")
        else:
            found[group] = group
    return list(found.values())


def _line(names: str, attributes: list[str]) -> str:
    return f"{names} {','.join(attributes)}" if attributes else names
