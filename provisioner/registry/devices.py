"""The network devices of a node and its BMC: facts to resolved ones, and what does not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from provisioner.model.address import InfinibandAddress, MacAddress
from provisioner.model.device import Bond, DeviceType, Infiniband, Vlan
from provisioner.model.devicestack import conflicts
from provisioner.model.resolved import ResolvedInterface
from provisioner.registry.facts import Facts, items, keys, scalar, tree

Misfit = tuple[tuple[str, ...], str, str]

_OF_TYPE = {"bond": DeviceType.BOND, "vlan": DeviceType.VLAN, "infiniband": DeviceType.INFINIBAND}


def interface_fields(facts: Facts, name: str) -> dict[str, Any]:
    """The fields of a network device that are the same for all nodes made of these facts."""
    at = ("interfaces", name)
    hardware = scalar(facts, *at, "mac")
    kind = device_type(facts, name)
    onboot = scalar(facts, *at, "onboot")
    return {
        "name": name,
        "type": kind,
        "mac": hardware if isinstance(hardware, MacAddress) else None,
        "infiniband_address": hardware if isinstance(hardware, InfinibandAddress) else None,
        "gateway": scalar(facts, *at, "gateway"),
        "gateway6": scalar(facts, *at, "gateway6"),
        "dns": items(facts, *at, "dns"),
        "search": items(facts, *at, "search"),
        "routes": items(facts, *at, "routes"),
        "onboot": True if onboot is None else onboot,
        "bond": Bond(**tree(facts, *at, "bond")) if kind is DeviceType.BOND else None,
        "vlan": Vlan(**tree(facts, *at, "vlan")) if kind is DeviceType.VLAN else None,
        "infiniband": Infiniband(**tree(facts, *at, "infiniband")) if kind is DeviceType.INFINIBAND else None,
        "tags": tree(facts, *at, "tags"),
    }


def device_type(facts: Facts, name: str) -> DeviceType:
    """What a device is: as written, or by what is said about it."""
    written = scalar(facts, "interfaces", name, "type")
    if written is not None:
        return DeviceType(written)
    if isinstance(scalar(facts, "interfaces", name, "mac"), InfinibandAddress):
        return DeviceType.INFINIBAND
    return next(
        (kind for key, kind in _OF_TYPE.items() if keys(facts, "interfaces", name, key)), DeviceType.ETHERNET
    )


def misfits(facts: Facts, fields: Sequence[dict[str, Any]]) -> Iterator[Misfit]:
    """What is wrong with the devices of a node among themselves: path, message, hint."""
    interfaces = [ResolvedInterface.model_construct(network="", **each) for each in fields]
    names = frozenset(each.name for each in interfaces)
    primary = scalar(facts, "primary")
    if primary is not None and primary not in names:
        yield ("primary",), f"the primary interface {primary} does not exist", f"there is {_listed(names)}"
    found = [misfit for each in interfaces for misfit in (*_misplaced(facts, each), *_dangling(each, names))]
    yield from found
    told = {path[1] for path, _, _ in found}
    for conflict in conflicts(interfaces):
        # What is wrong by itself is wrong with others too.
        if conflict.device not in told:
            yield ("interfaces", conflict.device, *conflict.key), conflict.message, conflict.hint


def _misplaced(facts: Facts, interface: ResolvedInterface) -> Iterator[Misfit]:
    at = ("interfaces", interface.name)
    for key, kind in _OF_TYPE.items():
        if interface.type is not kind and keys(facts, *at, key):
            first = (*at, key, keys(facts, *at, key)[0])
            yield first, f"{interface.name} is of type {interface.type}, so it has no {key}", f"write type: {kind}"
    if interface.infiniband_address and interface.type is not DeviceType.INFINIBAND:
        yield (*at, "mac"), f"{interface.name} has an InfiniBand address, but is of type {interface.type}", ""
    if interface.mac and interface.type is DeviceType.INFINIBAND:
        hint = "an InfiniBand address has twenty bytes: cat /sys/class/net/ib0/address"
        yield (*at, "mac"), f"{interface.name} is of type infiniband, but has a MAC of six bytes", hint


def _dangling(interface: ResolvedInterface, names: frozenset[str]) -> Iterator[Misfit]:
    at = ("interfaces", interface.name)
    if interface.bond is not None:
        for member in interface.bond.members:
            if member not in names or member == interface.name:
                message = f"{interface.name} bonds {member}, which is no other interface of the node"
                yield (*at, "bond", "members"), message, f"there is {_listed(names - {interface.name})}"
    if interface.vlan is not None:
        if interface.vlan.id is None:
            yield at, f"the VLAN {interface.name} has no id", "write vlan: {id: 100, parent: eth0}"
        if interface.vlan.parent not in names - {interface.name}:
            message = f"the VLAN {interface.name} needs a parent that is another interface of the node"
            yield at, message, f"there is {_listed(names - {interface.name})}"


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"
