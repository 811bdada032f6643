"""Netnames and devices: Warewulf keys what it knows of a network device by a name of its own, we by the device.

A netname stands for the same device on every node as a rule; then what a profile says of it goes to the group.
Where it stands for several devices (it is *loose*), every node gets all that profiles say about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.exchange.remark import Place
from provisioner.exchange.warewulf.entry import Entry, Fields, misfit
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.exchange.warewulf.rule import NET

DEVICES = "network devices"
# File, section, entry, DEVICES, name.
_NETNAME = 5


@dataclass
class Netnames:
    """The device of each netname; `loose` ones have several, and `refused` ones cannot be carried."""

    device: dict[str, str] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def of_node(self, fields: Fields) -> dict[str, str]:
        """The devices of a node by netname, refused ones left out."""
        found = {name: _device(fields, name) for name in netnames(fields)}
        return {name: device for name, device in found.items() if name not in self.refused}


def netnames(fields: Fields) -> list[str]:
    """The netnames that something is said about, sorted."""
    return sorted({path[1] for path in fields if path[0] == NET})


def plan_netnames(ledger: Ledger, entries: Mapping[str, Entry], effective: Mapping[str, Fields]) -> Netnames:
    """Find the device of every netname; `entries` are profiles and nodes, `effective` is what nodes end with."""
    plan = Netnames()
    for fields in effective.values():
        _note_nameless(ledger, fields)
        owners: dict[str, str] = {}
        for name in netnames(fields):
            device = _device(fields, name)
            reason = _misfit(device)
            if not reason and (owner := owners.setdefault(device, name)) != name:
                reason = f"{device} is the device of {owner} already; a device has one address of each kind here"
            if reason:
                plan.refused.add(name)
                _refuse(ledger, entries, name, reason)
            elif plan.device.setdefault(name, device) != device:
                plan.loose.add(name)
    for entry in entries.values():
        for name in netnames(entry.fields):
            if name not in plan.device and name not in plan.refused:
                _plan_unused(ledger, entries, plan, (entry, name))
    return plan


def said_of(fields: Fields, name: str) -> Place | None:
    """The place of something that is said about a netname."""
    return next((said.places[0] for path, said in fields.items() if path[:2] == (NET, name) and said.places), None)


def _plan_unused(ledger: Ledger, entries: Mapping[str, Entry], plan: Netnames, at: tuple[Entry, str]) -> None:
    """A netname of a profile that no node uses."""
    entry, name = at
    _note_nameless(ledger, {path: said for path, said in entry.fields.items() if path[:2] == (NET, name)})
    device = _device(entry.fields, name)
    if reason := _misfit(device):
        plan.refused.add(name)
        _refuse(ledger, entries, name, reason)
    else:
        plan.device[name] = device


def _note_nameless(ledger: Ledger, fields: Fields) -> None:
    """Say of netnames without a device, once of each place, what their interface is called."""
    for name in netnames(fields):
        place = said_of(fields, name)
        if (NET, name, "device") not in fields and place is not None:
            reason = f"no device is named, so the interface is called {name}"
            ledger.note(
                place[:_NETNAME], reason, "if that is not its name: write `device` there, and import again"
            )


def _device(fields: Fields, name: str) -> str:
    said = fields.get((NET, name, "device"))
    return said.value if said and isinstance(said.value, str) else name


def _misfit(device: str) -> str:
    return misfit(("interfaces", device, "onboot"), value=True)


def _refuse(ledger: Ledger, entries: Mapping[str, Entry], name: str, reason: str) -> None:
    for entry in entries.values():
        if any(path[:2] == (NET, name) for path in entry.fields):
            advice = "give it a device of its own: prov node set NODESET interfaces.DEVICE.ip=ADDRESS"
            ledger.remark((*entry.place, DEVICES, name), reason, advice)
