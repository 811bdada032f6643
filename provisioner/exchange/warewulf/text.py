"""The files of the new site as text: one for each group, one for every forty nodes, and provisioner.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from provisioner.config import emit
from provisioner.config.emit import Writable
from provisioner.exchange.warewulf.device import Findings, direct
from provisioner.exchange.warewulf.entry import Entry, Fields, nested
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.exchange.warewulf.lists import Lists
from provisioner.exchange.warewulf.netname import Netnames, netnames
from provisioner.exchange.warewulf.remarks import is_written
from provisioner.exchange.warewulf.rule import Target

_NODES_IN_A_FILE = 40
_ORDER = (
    "groups", "comment", "cluster", "image", "overlays", "kernel", "init", "tags", "resources",
    "primary", "interfaces", "bmc", "disks", "filesystems",
)  # fmt: skip


@dataclass
class Composer:
    """Makes the mapping of one group or node after another."""

    ledger: Ledger
    findings: Findings
    names: Netnames
    profiles: Mapping[str, Entry]
    hoisted: dict[str, dict[Target, Any]] = field(default_factory=dict)

    def hoist(self, orders: Mapping[str, Sequence[str]]) -> None:
        """Move to a group what is the same for all of its nodes, where the group speaks of it."""
        members: dict[str, list[str]] = {}
        for node, order in orders.items():
            for profile in order:
                members.setdefault(profile, []).append(node)
        for profile, nodes in members.items():
            spoken = self._speaks_of(self.profiles[profile])
            own = [self.findings.derived[node] for node in nodes]
            for path, value in list(own[0].items()):
                if path[:2] in spoken and all(each.get(path) == value for each in own):
                    self.hoisted.setdefault(profile, {})[path] = value
                    for each in own:
                        del each[path]

    def group(self, entry: Entry, groups: Sequence[str], lists: Lists) -> dict[str, Any]:
        """The mapping of a group."""
        return self._entry(entry, {("groups",): tuple(groups), **self.hoisted.get(entry.source, {}), **lists})

    def node(self, entry: Entry, final: Fields, groups: Sequence[str], lists: Lists) -> dict[str, Any]:
        """The mapping of a node. What loose netnames stand for on it is written out."""
        loose: dict[Target, Any] = {}
        for name, device in self.names.of_node(final).items():
            if name in self.names.loose:
                loose |= self._interface(final, name, device)
        derived = self.findings.derived[entry.source]
        return self._entry(entry, {("groups",): tuple(groups), **loose, **derived, **lists})

    def _entry(self, entry: Entry, more: Mapping[Target, Any]) -> dict[str, Any]:
        said: dict[Target, Any] = {}
        for path, each in entry.fields.items():
            if is_written(path) and not isinstance(each.value, tuple) and not self._is_dropped(path, each.places):
                said[path] = each.value
        devices = []
        for name in netnames(entry.fields):
            if name in self.names.device and name not in self.names.loose | self.names.refused:
                said |= self._interface(entry.fields, name, self.names.device[name])
                devices.append(self.names.device[name])
        tree = nested({**said, **{path: value for path, value in more.items() if value != ()}})
        for device in devices:
            tree.setdefault("interfaces", {}).setdefault(device, {})
        return {key: tree[key] for key in sorted(tree, key=_rank)}

    def _is_dropped(self, path: Target, places: tuple[tuple[str | int, ...], ...]) -> bool:
        if self.findings.dropped.intersection(places):
            return True
        if path == ("bmc", "ip"):
            self.ledger.carry(places[0])
        return False

    def _interface(self, fields: Fields, name: str, device: str) -> dict[Target, Any]:
        said = {}
        for path, each in direct(fields, name, device, self.findings):
            said[path] = each.value
            for place in each.places:
                self.ledger.carry(place)
        return said

    def _speaks_of(self, profile: Entry) -> set[Target]:
        names = [name for name in netnames(profile.fields) if name not in self.names.loose | self.names.refused]
        devices: set[Target] = {
            ("interfaces", self.names.device[name]) for name in names if name in self.names.device
        }
        more = {("primary",)} if devices else set()
        return devices | more | {("bmc", "network") for path in profile.fields if path[0] == "bmc"}


def group_text(name: str, content: object) -> str:
    """The file of one group."""
    return _HEAD + emit.block({"groups": {name: cast("Writable", writable(content))}})


def node_texts(nodes: Mapping[str, object]) -> dict[str, str]:
    """The files of nodes, forty in each, named after the first and last."""
    names = sorted(nodes, key=_counting)
    files = {}
    for start in range(0, len(names), _NODES_IN_A_FILE):
        part = names[start : start + _NODES_IN_A_FILE]
        path = f"nodes.d/{part[0]}-{part[-1]}.yaml" if len(part) > 1 else f"nodes.d/{part[0]}.yaml"
        files[path] = _HEAD + emit.block(
            {"nodes": {name: cast("Writable", writable(nodes[name])) for name in part}}
        )
    return files


def site_text(cluster: str, networks: Mapping[str, Mapping[str, object]]) -> str:
    """provisioner.yaml of a site that has none yet."""
    return _HEAD + emit.block({"cluster": cluster, "networks": cast("Writable", writable(networks))})


def writable(value: object) -> object:
    """Values as YAML writes them: routes, which are pairs, as mappings; tuples as lists."""
    if isinstance(value, Mapping):
        return {key: writable(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [dict(each) if isinstance(each, tuple) else writable(each) for each in value]
    if isinstance(value, list):
        return [writable(each) for each in value]
    return str(value) if isinstance(value, str) else value


_HEAD = "# Imported from Warewulf.\n"


def _rank(key: str) -> int:
    plain = key.removeprefix("~")
    return _ORDER.index(plain) if plain in _ORDER else len(_ORDER)


def _counting(name: str) -> tuple[str, list[tuple[int, str]]]:

    parts = re.split(r"([0-9]+)", name)
    return "%".join(parts[::2]), [(len(number), number) for number in parts[1::2]]
