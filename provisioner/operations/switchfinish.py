"""The end of a switch: what its nodes boot is written where it belongs, and nothing holds them any more."""

from __future__ import annotations

from provisioner.config.switchfile import switch_text
from provisioner.errors import ConflictError
from provisioner.model.catalogue import Catalogue
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode
from provisioner.model.switch import Switch, SwitchState, folded
from provisioner.model.written import Group, NodeEntry
from provisioner.operations.change import Plan, Texts
from provisioner.operations.switches import demand_not_over, file_of, find, present, without_switches
from provisioner.registry import groupedits, nodeedits
from provisioner.registry.field import parse_assignment
from provisioner.registry.view import SiteView


def finish(name: str, catalogue: Catalogue, *, group: str | None = None, nodes: bool = False) -> Plan:
    """The new image written where it belongs: to the group that has just these nodes, or to the nodes themselves.

    The plan raises ConflictError for a switch whose nodes are not all done, where no group has just these nodes
    and none is named, and where a stronger place would take nodes back.
    """

    def plan(view: SiteView) -> Texts:
        switch = present(view, find(view, name))
        _demand_moved(name, switch)
        image = _lasting(switch, catalogue)
        over = switch.model_copy(update={"state": SwitchState.FINISHED, "images": {}})
        if nodes:
            texts = nodeedits.set_nodes(view, switch.names, [parse_assignment(f"image={image}", NodeEntry)])
        else:
            chosen = group or _group_of(view, name, switch)
            _demand_weakest(view, switch, chosen)
            texts = groupedits.set_group(view, chosen, [parse_assignment(f"image={image}", Group)])
        return {**texts, file_of(name): switch_text(name, over)}

    return plan


def _demand_moved(name: str, switch: Switch) -> None:
    demand_not_over(name, switch)
    if not switch.names:
        raise ConflictError(f"no node of the switch {name} is there any more", hint=f"prov switch undo {name}")
    ready = switch.ready
    if left := folded(node for node in switch.names if node not in ready):
        message = f"{left} of the switch {name} does not run {switch.to} yet"
        raise ConflictError(message, hint=f"prov switch resume {name}, or prov switch undo {name}")


def _lasting(switch: Switch, catalogue: Catalogue) -> str:
    """The image as it was asked for, where that still means the same generation; else the generation."""
    found = catalogue.find(switch.target) if switch.target else None
    return switch.target if found is not None and found.name == switch.to else switch.to


def _group_of(view: SiteView, name: str, switch: Switch) -> str:
    """The only group that has just these nodes; the one that was asked for, of several."""
    wanted = switch.names
    fitting = [each for each in view.groups if sorted(view.published.members(each)) == sorted(wanted)]
    asked = switch.asked.removeprefix("@")
    if asked in fitting:
        return asked
    if len(fitting) != 1:
        several = f"these groups have just the nodes {switch.nodes}: {', '.join(fitting)}"
        message = several if fitting else f"no group has just the nodes {switch.nodes}"
        hint = f"prov switch finish {name} --group GROUP, or --nodes to write it to the nodes themselves"
        raise ConflictError(message, hint=hint)
    return fitting[0]


def _demand_weakest(view: SiteView, switch: Switch, group: str) -> None:
    """Everybody in the group gets the image, and nobody else; a node with an image of its own would not."""
    inside = frozenset(view.published.members(group)) if group in view.groups else frozenset()
    if others := sorted(inside.difference(switch.names)):
        hint = f"prov switch start {fold(others)} --to {switch.to}, or finish with --nodes"
        raise ConflictError(f"{fold(others)} is in {group} too, and not in the switch", hint=hint)
    if missing := sorted(set(switch.names) - inside):
        raise ConflictError(f"{fold(missing)} is not in the group {group}", hint="prov group list")
    own = [node for node in without_switches(view, switch.names).values() if not _yields(node, group)]
    if own:
        source = own[0].provenance["image"][-1]
        hint = f"prov node unset {fold(node.name for node in own)} image, or finish with --nodes"
        raise ConflictError(f"{own[0].name} gets its image from a stronger place: {source}", hint=hint)


def _yields(node: ResolvedNode, group: str) -> bool:
    """Whether an image that the group says would count for a node; its groups are in order, the weakest first."""
    sources = node.provenance.get("image", ())
    weaker = node.groups[: node.groups.index(group) + 1]
    return not sources or sources[-1].entry in {f"group {each}" for each in weaker}
