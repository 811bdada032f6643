"""Group sources for ClusterShell (groups.conf(5)): a file for groups.d, and upcalls that ask `prov`."""

from __future__ import annotations

import re

from provisioner.config import emit
from provisioner.exchange.inventory import Exported, Inventory, usable
from provisioner.model.nodeset import fold

SOURCE = "prov"
_SOURCE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# What ClusterShell's own grammar takes for an operator, a range or a wildcard has no place in a name.
_GROUP_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+=/-]*")
_TAKEN = frozenset({SOURCE, "all", "local", "default", "Main"})

UPCALLS = """\
# /etc/clustershell/groups.conf.d/prov.conf: groups are asked of prov when they are named (@prov:compute).
[prov]
map: prov export clustershell --map $GROUP
all: prov export clustershell --all
list: prov export clustershell --list
reverse: prov export clustershell --reverse $NODE
"""


def export_clustershell(inventory: Inventory) -> Exported:
    """A file for /etc/clustershell/groups.d: the source `prov` has the groups, every tag is a source."""
    left_out: list[str] = []
    names = {record["name"] for record in usable(inventory.records, left_out)}
    sources: dict[str, dict[str, str]] = {SOURCE: {}}
    _add(sources[SOURCE], {"all": sorted(names)}, names, left_out)
    groups = {group: found for group, found in inventory.members().items() if group != "all"}
    _add(sources[SOURCE], groups, names, left_out)
    for key, values in inventory.tagged().items():
        if _SOURCE_NAME.fullmatch(key) and key not in _TAKEN:
            _add(sources.setdefault(key, {}), values, names, left_out)
        else:
            left_out.append(f"the tag {key!r}: not the name of a group source")
    kept = {source: found for source, found in sources.items() if found}
    return Exported(emit.block({**kept}) if kept else "", tuple(dict.fromkeys(left_out)))


def _add(source: dict[str, str], groups: dict[str, list[str]], names: set[str], left_out: list[str]) -> None:
    for group, members in groups.items():
        found = names.intersection(members)
        if not _GROUP_NAME.fullmatch(group):
            left_out.append(f"the group {group!r}: ClusterShell would read it as something else")
        elif found:
            source[group] = fold(found)
