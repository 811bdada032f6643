"""What exporters read: plain records of nodes and the groups of the site; and what they give back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from provisioner.model.hostnames import device_label

Record = Mapping[str, Any]

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}")


@dataclass(frozen=True)
class Inventory:
    """Nodes as `Published.records` gives them, by name, and the groups that each group names.

    With `reveal`, which gives the secret that a value is or names, secrets are exported too.
    """

    records: tuple[Record, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reveal: Callable[[str], str] | None = None

    def members(self) -> dict[str, list[str]]:
        """The nodes of every group, those that inherit it included; groups without any of these nodes too."""
        found: dict[str, list[str]] = {name: [] for name in self.groups}
        for record in self.records:
            for name in record["groups"]:
                found.setdefault(name, []).append(record["name"])
        return found

    def tagged(self) -> dict[str, dict[str, list[str]]]:
        """The nodes by tag and value."""
        found: dict[str, dict[str, list[str]]] = {}
        for record in self.records:
            for key, value in record["tags"].items():
                found.setdefault(key, {}).setdefault(value, []).append(record["name"])
        return found


@dataclass(frozen=True)
class Exported:
    """The text for another tool, and a sentence for everything that its language cannot say."""

    text: str
    left_out: tuple[str, ...] = ()


class Name(NamedTuple):
    """An address of a node, with the short name that DNS has for it; `number` is the version of IP, 4 or 6."""

    short: str
    address: str
    number: int
    is_primary: bool


def addresses(record: Record) -> Iterator[Name]:
    """Every address of a node, by the rule of `model.hostnames`: the node's own name means the first of them."""
    interfaces = sorted(record["interfaces"], key=lambda each: each["name"] != record["primary"])
    for index, interface in enumerate(each for each in interfaces if each.get("ip") or each.get("ip6")):
        is_primary = index == 0
        short = record["name"] if is_primary else f"{record['name']}-{device_label(interface['name'])}"
        for key, number in (("ip", 4), ("ip6", 6)):
            if interface.get(key):
                yield Name(short, address_of(interface[key]), number, is_primary)


def primary_address(record: Record) -> str | None:
    """The address to speak to a node: that of the interface that boots, or else of the first; IPv4 before IPv6."""
    own = [each for each in addresses(record) if each.is_primary]
    return own[0].address if own else None


def bmc_address(record: Record) -> str | None:
    """The address of a node's BMC."""
    bmc = record.get("bmc") or {}
    return address_of(bmc["ip"]) if bmc.get("ip") else None


def address_of(text: str) -> str:
    """An address without the length of its network."""
    return text.partition("/")[0]


def is_host(text: str) -> bool:
    """Whether a text is the name of a host and nothing else."""
    return _HOST.fullmatch(text) is not None


def is_domain(text: str) -> bool:
    """Whether a text is a domain and nothing else."""
    return _DOMAIN.fullmatch(text) is not None


def is_address(text: str) -> bool:
    """Whether a text can be nothing but an address."""
    return _ADDRESS.fullmatch(text) is not None


def usable(records: Iterable[Record], left_out: list[str]) -> Iterator[Record]:
    """The records whose names every tool takes; the others are noted."""
    for record in records:
        if is_host(record["name"]):
            yield record
        else:
            left_out.append(f"the node {record['name']!r}: not the name of a host")
