"""Every change of nodes as a plan (`operations.change`), and what is told of nodes.

A plan chooses its nodes itself, from the site that it is asked about: planned again on another state of the site,
`@compute` means the nodes that are in the group then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from provisioner.errors import ProvisionerError
from provisioner.model.nodeset import Members, fold
from provisioner.model.written import NodeEntry
from provisioner.operations.change import Plan
from provisioner.operations.select import members_of, named, select
from provisioner.operations.switches import demand_unheld
from provisioner.registry import editing, export, nodeedits
from provisioner.registry.field import Assignment, parse_assignment, parse_path
from provisioner.registry.view import SiteView

# What tells one machine from all others.
_IDENTITY = frozenset({"mac", "uuid", "serial", "asset"})


def add(nodeset: str, assignments: Sequence[str]) -> Plan:
    """New nodes. The plan raises ConflictError when one of them exists.

    Raises ProvisionerError for what is no node set, for a field that does not exist and a value that it cannot
    have, and when several nodes would get what belongs to one machine.
    """
    names, parsed = named(nodeset), _parsed(assignments)
    _demand_one(names, parsed)
    return lambda view: nodeedits.add_nodes(view, names, parsed)


def change(nodeset: str, assignments: Sequence[str], where: Sequence[str] = ()) -> Plan:
    """Other values for nodes. The plan raises NotFoundError for nodes that do not exist; else as `add`."""
    parsed = _parsed(assignments)
    if not parsed:
        raise ProvisionerError(f"nothing to set for {nodeset}", hint="prov node set --help")

    def plan(view: SiteView) -> Mapping[str, str | None]:
        names = select(view.published, nodeset, where)
        _demand_one(names, parsed)
        if any(each.path == ("image",) for each in parsed):
            demand_unheld(view, names)
        return nodeedits.set_nodes(view, names, parsed)

    return plan


def unset(nodeset: str, fields: Iterable[str], where: Sequence[str] = (), *, inherited: bool = False) -> Plan:
    """Without the values of some fields; `inherited` takes away what groups say too."""
    paths = [parse_path(each, NodeEntry) for each in fields]
    return lambda view: nodeedits.unset_nodes(
        view, select(view.published, nodeset, where), paths, inherited=inherited
    )


def delete(nodeset: str, where: Sequence[str] = ()) -> Plan:
    """Without some nodes."""

    def plan(view: SiteView) -> Mapping[str, str | None]:
        names = select(view.published, nodeset, where)
        demand_unheld(view, names)
        return nodeedits.delete_nodes(view, names)

    return plan


def rename(old: str, new: str, members: Members | None = None) -> tuple[Plan, Mapping[str, str]]:
    """Other names for nodes, in the order of both sets; returns the new names with the old ones too.

    `members` says who is in the groups that the old names may speak of. Raises ProvisionerError when the sets have
    different sizes.
    """
    pairs = named(old, members), named(new)
    if len(pairs[0]) != len(pairs[1]):
        message = f"{old} is {len(pairs[0])} nodes, and {new} is {len(pairs[1])}"
        raise ProvisionerError(message, hint="prov node rename n[001-004] m[001-004]")
    if len(pairs[0]) > 1 and pairs[0] == pairs[1]:
        message = f"{new} is the same set as {old}: a node set is sorted, however it is written"
        raise ProvisionerError(
            message, hint="to swap names, give each a line in `rename:` of a file for prov apply"
        )
    mapping = dict(zip(*pairs, strict=True))

    def plan(view: SiteView) -> Mapping[str, str | None]:
        demand_unheld(view, mapping)
        return nodeedits.rename_nodes(view, mapping)

    return plan, {name: before for before, name in mapping.items()}


def copy(source: str, nodeset: str) -> Plan:
    """New nodes that are like another one but for what tells the machine; addresses that count are kept.

    The plan raises ProvisionerError when the source is not one node.
    """
    names = named(nodeset)

    def plan(view: SiteView) -> Mapping[str, str | None]:
        sources = named(source, members_of(view.published))
        if len(sources) != 1:
            raise ProvisionerError(
                f"{source} is {len(sources)} nodes, and one is copied", hint="prov node copy n001 n002"
            )
        return nodeedits.copy_node(view, sources[0], names)

    return plan


def entries(view: SiteView, names: Sequence[str]) -> str:
    """What is written about some nodes, to be edited."""
    return editing.entries_text(view, names)


def edited(names: Sequence[str], text: str, shown: str | None = None) -> Plan:
    """The entries of some nodes as somebody edited them.

    `shown` is the text before it was edited: what others changed since then stays, and the plan raises
    OvertakenError where they changed the same.
    """
    return lambda view: editing.with_edited_entries(view, names, text, shown)


def exported(view: SiteView, names: Sequence[str]) -> str:
    """A document from which `prov apply` makes the same nodes."""
    return export.export_nodes(view, names)


def _parsed(assignments: Iterable[str]) -> list[Assignment]:
    return [parse_assignment(each, NodeEntry) for each in assignments]


def _demand_one(names: Sequence[str], assignments: Iterable[Assignment]) -> None:
    own = next((each for each in assignments if each.path[-1] in _IDENTITY and _is_own(each.path)), None)
    if own and len(names) > 1:
        what = "MAC" if own.path[-1] == "mac" else own.path[-1]
        message = f"a {what} belongs to one node, and {fold(names)} is {len(names)}"
        raise ProvisionerError(message, hint=f"prov node set NODE {'.'.join(own.path)}=...")


def _is_own(path: tuple[str, ...]) -> bool:
    return len(path) == 1 or path[0] in {"interfaces", "bmc"}
