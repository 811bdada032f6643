"""The switches of a site: every verb as a plan (`operations.change`), and what is told of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from provisioner.config.emit import Writable
from provisioner.config.switchfile import FOLDER, read_switch, switch_id, switch_text
from provisioner.errors import ConfigError, ConflictError, NotFoundError, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Generation
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode
from provisioner.model.switch import Pace, Switch, SwitchState, folded, members, without
from provisioner.operations.change import Plan, Texts
from provisioner.operations.select import select
from provisioner.operations.switchstep import advance, again, undone
from provisioner.registry.resolve import resolve
from provisioner.registry.view import SiteView

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NO_SIGN = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asks for: nodes, the image to go to, the pace, and a name or none."""

    nodeset: str
    target: str
    pace: Pace
    where: tuple[str, ...] = ()
    name: str | None = None

    def of_all(self, switch: Switch) -> Order:
        """The same with all nodes of a switch in its first step, to show where it leads."""
        return replace(self, pace=self.pace.model_copy(update={"canary": len(switch.names)}))


def pace_of(given: Mapping[str, int | str | None]) -> Pace:
    """The pace that a person asks for, by the names of its fields. ProvisionerError where it cannot be."""
    try:
        return Pace.model_validate(given)
    except ValidationError as error:
        (first, *_) = error.errors()
        reason = first["msg"].removeprefix("Value error, ")
        hint = "such as --reboot-command 'ssh {node} systemctl reboot'"
        raise ProvisionerError(f"{' '.join(map(str, first['loc']))}: {reason}", hint=hint) from None


def file_of(name: str) -> str:
    """The file of a switch, below the site root."""
    return f"{FOLDER}{name}.yaml"


def start(order: Order, catalogue: Catalogue, *, now: float | None = None) -> Plan:
    """A new switch with its canaries moved.

    The plan raises NotFoundError for nodes and images that do not exist, ConflictError for nodes of another switch
    under way, and ProvisionerError where nothing is to be switched, or the image cannot boot.
    """
    moment = time.time() if now is None else now

    def plan(view: SiteView) -> Texts:
        name, switch = new_switch(view, order, catalogue)
        return {**_released(view, switch.names), file_of(name): switch_text(name, advance(switch, now=moment))}

    return plan


def new_switch(view: SiteView, order: Order, catalogue: Catalogue) -> tuple[str, Switch]:
    """The name and content of a switch that is asked for, nothing moved yet. Raises as the plan of `start`."""
    generation = _target(order.target, catalogue)
    names = select(view.published, order.nodeset, order.where)
    had = _generations(view.published.nodes(names), catalogue)
    going = tuple(name for name in names if had.get(name) != generation.name)
    if not going:
        raise ProvisionerError(f"{order.nodeset} boots {generation.name} already: there is nothing to switch")
    _demand_free(view, going)
    asked = order.nodeset if going == names else fold(going)
    switch = Switch.model_validate(
        {
            "to": generation.name,
            "target": order.target,
            "nodes": fold(going),
            "asked": asked,
            "from": _by_image((name, had[name]) for name in going if name in had),
            "images": _by_image(_held(view, going)),
            "pace": order.pace,
        }
    )
    return _free_name(view, order, generation), switch


def pause(name: str) -> Plan:
    """A switch that moves nobody on until it is resumed."""
    return _changed(name, lambda switch: switch.model_copy(update={"state": SwitchState.PAUSED}), _demand_running)


def resume(name: str, *, now: float | None = None) -> Plan:
    """A switch that goes on after a pause, a stop or an interrupt; nodes that failed get another chance."""
    moment = time.time() if now is None else now
    return _changed(name, lambda switch: again(switch, now=moment), _demand_open)


def record(name: str, change: Callable[[Switch], Switch]) -> Plan:
    """A switch as it is after something was seen."""

    def plan(view: SiteView) -> Texts:
        switch = find(view, name)
        demand_not_over(name, switch)
        return {file_of(name): switch_text(name, change(present(view, switch)))}

    return plan


def undo(name: str, catalogue: Catalogue) -> Plan:
    """Every node with the generation that it had.

    Where what is written says so by itself again, nothing holds the node any more; elsewhere the switch holds it
    to that generation. The plan raises ConflictError for a switch that is over.
    """

    def plan(view: SiteView) -> Texts:
        switch = find(view, name)
        demand_not_over(name, switch)
        written = _generations(without_switches(view, switch.names), catalogue)
        former = switch.former
        decided = (node for nodes in switch.images.values() for node in members(nodes))
        held = ((node, former[node]) for node in decided if node in former)
        restored = _grouped((node, image) for node, image in held if written.get(node) != image)
        return {file_of(name): switch_text(name, undone(switch, restored))}

    return plan


def delete(name: str) -> Plan:
    """Without a switch that is over; nodes that it held get what is written. ConflictError for another one."""

    def plan(view: SiteView) -> Texts:
        switch = find(view, name)
        if not switch.state.is_over:
            message = f"the switch {name} is {switch.state} and decides what {switch.nodes} boots"
            raise ConflictError(message, hint=f"prov switch undo {name}, or prov switch finish {name}")
        return {file_of(name): None}

    return plan


def find(view: SiteView, name: str) -> Switch:
    """The switch with a name. NotFoundError when there is none, ConfigError when its file is broken."""
    text = view.text(file_of(name))
    if text is None:
        there = ", ".join(each for each, _ in every(view)) or "none"
        raise NotFoundError(f"there is no switch {name}", hint=f"prov switch list; switches: {there}")
    return read_switch(file_of(name), text)


def present(view: SiteView, switch: Switch) -> Switch:
    """A switch without the nodes that the site does not have any more, which can neither boot nor fail."""
    # A file that somebody is editing may lack nodes that are not gone at all.
    return switch if view.published.problems() else switch.among(view.node_names)


def demand_unheld(view: SiteView, names: Iterable[str]) -> None:
    """ConflictError when a switch decides what one of some nodes boots."""
    wanted = tuple(names)
    _demand_free(view, wanted)
    held = frozenset(node for node, _ in _held(view, wanted))
    for name, switch in every(view):
        shared = sorted(held.intersection(switch.names))
        if shared and switch.images:
            message = f"{fold(shared)} is held to its former image by the switch {name}, which is {switch.state}"
            raise ConflictError(message, hint=f"prov switch delete {name}")


def every(view: SiteView) -> Iterator[tuple[str, Switch]]:
    """All switches that can be read, by name."""
    for file in view.files:
        if file.startswith(FOLDER):
            try:
                yield switch_id(file), read_switch(file, view.text(file) or "")
            except ConfigError:
                # It is told with all other problems of the site.
                continue


def summary(name: str, switch: Switch) -> dict[str, Writable]:
    """One switch as the data that commands give out."""
    return {
        "name": name,
        "state": switch.state.value,
        "nodes": switch.nodes,
        "from": list(switch.before),
        "to": switch.to,
        "count": len(switch.names),
        "moved": len(switch.moved),
        "done": len(switch.ready),
        "failed": folded(switch.failed),
    }


def details(name: str, switch: Switch) -> dict[str, Any]:
    """A switch with every node: what it had, where it is, and why it failed."""
    former, ready, moved = switch.former, switch.ready, frozenset(switch.moved)
    rows = [
        {"node": node, "from": former.get(node), "state": _state(switch, node, ready, moved)}
        for node in switch.names
    ]
    return {**summary(name, switch), "asked": switch.asked, "pace": switch.pace.model_dump(), "steps": rows}


def _state(switch: Switch, node: str, ready: Collection[str], moved: Collection[str]) -> str:
    if node in switch.failed:
        return f"failed: {switch.failed[node]}"
    if switch.state is SwitchState.UNDONE:
        return "has what it had"
    if node in ready:
        return "done"
    return "moved, not ready yet" if node in moved else "waits"


def _changed(name: str, change: Callable[[Switch], Switch], demand: Callable[[str, Switch], None]) -> Plan:
    def plan(view: SiteView) -> Texts:
        switch = find(view, name)
        demand_not_over(name, switch)
        demand(name, switch)
        return {file_of(name): switch_text(name, change(switch))}

    return plan


def _target(reference: str, catalogue: Catalogue) -> Generation:
    found = catalogue.find(reference)
    if found is None:
        raise NotFoundError(f"there is no image {reference}", hint="prov image list")
    if catalogue.is_revoked(found):
        raise ProvisionerError(f"{found.name} is revoked", hint=f"prov image release {found.name}")
    # It raises for a base.
    _ = found.boot_set
    return found


def _generations(nodes: Mapping[str, ResolvedNode], catalogue: Catalogue) -> dict[str, str]:
    found = {name: catalogue.find(node.image) for name, node in nodes.items() if node.image}
    return {name: generation.name for name, generation in found.items() if generation}


def without_switches(view: SiteView, names: Iterable[str]) -> Mapping[str, ResolvedNode]:
    """Nodes as they would be if no switch held them."""
    site, wanted = view.sources.site.site, frozenset(names)
    if site is None:
        raise ConfigError(view.sources.site.problems)
    entries = view.sources.entries_of(view.published.files_of(wanted), wanted)
    own = [entry for entry in entries if not entry.overrides]
    return {node.name: node for node in resolve(site, view.groups, own).nodes}


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node, image in pairs:
        found.setdefault(image, []).append(node)
    return found


def _by_image(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {image: fold(nodes) for image, nodes in _grouped(pairs).items()}


def _held(view: SiteView, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those of some nodes that a switch holds to an image after it is over, and the image."""
    wanted = frozenset(names)
    for _, switch in every(view):
        for image, nodes in switch.images.items() if switch.state.is_over else ():
            yield from ((node, image) for node in members(nodes) if node in wanted)


def _released(view: SiteView, names: Iterable[str]) -> dict[str, str]:
    """The files of switches that are over and held nodes, for which another one speaks from now on."""
    wanted = frozenset(names)
    texts: dict[str, str] = {}
    for name, switch in every(view):
        rest = without(switch.images, wanted)
        if switch.state.is_over and rest != switch.images:
            texts[file_of(name)] = switch_text(name, switch.model_copy(update={"images": rest}))
    return texts


def _demand_free(view: SiteView, names: Sequence[str]) -> None:
    wanted = frozenset(names)
    for name, switch in every(view):
        shared = sorted(wanted.intersection(switch.names))
        if shared and not switch.state.is_over:
            message = f"{fold(shared)} is in the switch {name}, which is {switch.state}"
            raise ConflictError(message, hint=f"prov switch finish {name}, or prov switch undo {name}")


def _free_name(view: SiteView, order: Order, generation: Generation) -> str:
    if order.name is not None:
        if not _NAME.fullmatch(order.name):
            hint = "use letters, digits, dots and dashes, such as rack1-rocky"
            raise ProvisionerError(f"{order.name!r} cannot be the name of a switch", hint=hint)
        if file_of(order.name) in view.files:
            raise ConflictError(f"there is a switch {order.name} already", hint=f"prov switch show {order.name}")
        return order.name
    stem = f"{_NO_SIGN.sub('-', order.nodeset).strip('-')[:30]}-to-{generation.image}".lstrip("-")
    taken = {PurePosixPath(file).stem for file in view.files if file.startswith(FOLDER)}
    return next(each for each in (stem, *(f"{stem}-{n}" for n in range(2, 100_000))) if each not in taken)


def _demand_running(name: str, switch: Switch) -> None:
    if switch.state is not SwitchState.RUNNING:
        raise ConflictError(f"the switch {name} is {switch.state} and moves nobody", hint="prov switch list")


def _demand_open(name: str, switch: Switch) -> None:
    if switch.state is SwitchState.MOVED:
        raise ConflictError(f"all nodes of the switch {name} are done", hint=f"prov switch finish {name}")


def demand_not_over(name: str, switch: Switch) -> None:
    """ConflictError for a switch that is over."""
    if switch.state.is_over:
        raise ConflictError(f"the switch {name} is {switch.state}", hint=f"prov switch show {name}")
