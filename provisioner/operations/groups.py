"""Every change of groups as a plan (`operations.change`), and what is told of groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from provisioner.config.decode import Entry
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.model.nodeset import fold
from provisioner.model.secret import SECRET_PATHS, masked
from provisioner.model.written import Group
from provisioner.operations.change import Plan
from provisioner.operations.entry import values_of
from provisioner.registry import editing, export, groupedits
from provisioner.registry.field import Assignment, parse_assignment, parse_path
from provisioner.registry.view import SiteView


def add(name: str, assignments: Sequence[str]) -> Plan:
    """A new group. The plan raises ConflictError when it exists.

    Raises ProvisionerError for a field that does not exist and a value that it cannot have.
    """
    parsed = _parsed(assignments)
    return lambda view: groupedits.add_group(view, name, parsed)


def change(name: str, assignments: Sequence[str]) -> Plan:
    """Other values for a group. The plan raises NotFoundError when there is none; else as `add`."""
    parsed = _parsed(assignments)
    if not parsed:
        raise ProvisionerError(f"nothing to set for the group {name}", hint="prov group set --help")
    return lambda view: groupedits.set_group(view, name, parsed)


def unset(name: str, fields: Iterable[str], *, inherited: bool = False) -> Plan:
    """A group without the values of some fields; `inherited` takes away what its own groups say too."""
    paths = [parse_path(each, Group) for each in fields]
    return lambda view: groupedits.unset_group(view, name, paths, inherited=inherited)


def delete(name: str, *, detach: bool = False) -> Plan:
    """Without a group. The plan raises ConflictError with its users, unless they are detached from it."""
    return lambda view: groupedits.delete_group(view, name, detach=detach)


def rename(old: str, new: str) -> Plan:
    """Another name for a group, wherever it is named."""
    return lambda view: groupedits.rename_group(view, old, new)


def copy(source: str, name: str) -> Plan:
    """A new group that says the same as another one."""
    return lambda view: groupedits.copy_group(view, source, name)


def edited(names: Sequence[str], text: str, shown: str | None = None) -> Plan:
    """The entries of some groups as somebody edited them; `shown` is the text before that (`nodes.edited`)."""
    return lambda view: editing.with_edited_group_entries(view, names, text, shown)


def find(view: SiteView, name: str) -> Entry[Group]:
    """The group with a name as it is written; NotFoundError when there is none."""
    found = view.groups.get(name)
    if found is None:
        raise NotFoundError(f"there is no group {name}", hint="prov group list")
    return found


def existing(view: SiteView, names: Sequence[str]) -> tuple[str, ...]:
    """The same names; NotFoundError when one is no group."""
    return tuple(find(view, name).names[0] for name in names)


def entries(view: SiteView, names: Sequence[str]) -> str:
    """What is written about some groups, to be edited."""
    return editing.group_entries_text(view, names)


def exported(view: SiteView, names: Sequence[str]) -> str:
    """A document from which `prov apply` makes the same groups."""
    return export.export_groups(view, names)


def shown(view: SiteView, name: str, *, secrets: bool = False) -> dict[tuple[str, ...], Any]:
    """What a group says itself and which nodes are in it, by path. NotFoundError when there is none."""
    entry = find(view, name)
    members = view.published.members(name)
    head = {
        "name": name,
        "place": f"{entry.file}:{entry.key.span.line}",
        "count": len(members),
        "nodes": fold(members),
    }
    values = values_of(entry)
    hidden = {
        path: masked(value) for path, value in values.items() if ".".join(path) in SECRET_PATHS and not secrets
    }
    return {**{(key,): value for key, value in head.items()}, **values, **hidden}


def _parsed(assignments: Iterable[str]) -> list[Assignment]:
    return [parse_assignment(each, Group) for each in assignments]
