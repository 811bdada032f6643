"""An inventory for Ansible, as its script plugin reads it (docs.ansible.com, "Developing dynamic inventory")."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from provisioner.exchange.inventory import Exported, Inventory, Record, primary_address, usable
from provisioner.model.name import REMOVES
from provisioner.model.secret import redacted

# Ansible takes these for templates, and templates can run programs on the control node.
_TEMPLATE = re.compile(r"\{[{%#]")
_UNSAFE = "__ansible_unsafe"
_IDENTIFIER = re.compile(r"[^A-Za-z0-9_]")
_RESERVED = frozenset({"all", "ungrouped", "_meta"})


def export_ansible(inventory: Inventory) -> Exported:
    """What `--list` prints: groups with their nesting, and the variables of every host.

    A group's name has `_` for what Ansible does not take in a name.
    """
    left_out: list[str] = []
    records = list(usable(inventory.records, left_out))
    names = {record["name"] for record in records}
    members = {group: sorted(names & set(found)) for group, found in inventory.members().items()}
    titles = _titles(members)
    content: dict[str, Any] = {
        "_meta": {"hostvars": {record["name"]: host_variables(record, inventory.reveal) for record in records}}
    }
    below = _children(inventory.groups, members)
    for group, found in members.items():
        inherited = {name for child in below[group] for name in members[child]}
        own = [name for name in found if name not in inherited]
        content[titles[group]] = _entry(own, [titles[child] for child in below[group]])
    content["all"] = _entry(sorted(names), [])
    return Exported(json.dumps(content, indent=2, ensure_ascii=False) + "\n", tuple(left_out))


def export_ansible_host(inventory: Inventory, name: str) -> Exported:
    """What `--host NAME` prints: the variables of one host, nothing for a host that is not there."""
    found = next((record for record in inventory.records if record["name"] == name), None)
    variables = host_variables(found, inventory.reveal) if found else {}
    return Exported(json.dumps(variables, indent=2, ensure_ascii=False) + "\n")


def host_variables(record: Record, reveal: Callable[[str], str] | None = None) -> dict[str, Any]:
    """The variables of a host: `ansible_host`, and `prov_...` for what the site says of the node.

    No secrets without `reveal`, but references to them.
    """
    shown = redacted(record, reveal=reveal)
    kept = (
        "domain",
        "image",
        "groups",
        "tags",
        "interfaces",
        "primary",
        "bmc",
        "cluster",
        "resources",
        "serial",
        "asset",
    )
    variables = {f"prov_{key}": _safe(shown[key]) for key in kept if shown.get(key) not in (None, "", [], {})}
    address = primary_address(record)
    return {**({"ansible_host": _safe(address)} if address else {}), **variables}


def _safe(value: Any) -> Any:
    """A value in which Ansible evaluates nothing."""
    if isinstance(value, str):
        return {_UNSAFE: value} if _TEMPLATE.search(value) else value
    if isinstance(value, Mapping):
        # A key cannot be marked, so one that looks like a template loses its braces.
        return {_TEMPLATE.sub("{ ", str(key)): _safe(each) for key, each in value.items() if key != _UNSAFE}
    if isinstance(value, list | tuple):
        return [_safe(each) for each in value]
    return value


def _entry(hosts: list[str], children: list[str]) -> dict[str, Any]:
    return {"hosts": hosts, **({"children": sorted(children)} if children else {})}


def _children(groups: Mapping[str, tuple[str, ...]], members: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The groups below each: those that inherit it and bring it no node that it does not have."""
    below: dict[str, list[str]] = {name: [] for name in members}
    for name, parents in groups.items():
        for parent in parents:
            if parent.startswith(REMOVES) or parent not in members or parent == name or not members[name]:
                continue
            if set(members[name]) <= set(members[parent]):
                below[parent].append(name)
    return below


def _titles(groups: Mapping[str, object]) -> dict[str, str]:
    """A name that Ansible takes for each group, no two the same."""
    titles: dict[str, str] = {}
    for group in sorted(groups, key=lambda each: (_IDENTIFIER.search(each) is not None, each)):
        name = _IDENTIFIER.sub("_", group)
        if name in _RESERVED or not name or name[0].isdigit():
            name = f"group_{name}"
        while name in titles.values():
            name += "_"
        titles[group] = name
    return titles
