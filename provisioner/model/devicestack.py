"""How the network devices of a node lie on each other, and what no network backend could make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from provisioner.model.device import DeviceType
from provisioner.model.resolved import ResolvedInterface

_FULL_MEMBER = 0x8000

Devices = Mapping[str, ResolvedInterface]


class Conflict(NamedTuple):
    """Something that cannot be: the device, the key in it that says so, and what is wrong."""

    device: str
    key: tuple[str, ...]
    message: str
    hint: str


def conflicts(interfaces: Sequence[ResolvedInterface]) -> Iterator[Conflict]:
    """Everything about the devices of a node that contradicts itself, but for names that are not there."""
    for each in interfaces:
        yield from _routes(each)
    if all(each.type is DeviceType.ETHERNET for each in interfaces):
        return
    by_name = {each.name: each for each in interfaces}
    yield from _memberships(interfaces)
    for each in interfaces:
        yield from _partition(each, by_name)
    yield from _circles(by_name)


def parent_of(interface: ResolvedInterface) -> str | None:
    """The device that a VLAN or a partition of InfiniBand lies on, by its name."""
    if interface.vlan is not None:
        return interface.vlan.parent
    is_partition = interface.infiniband is not None and interface.infiniband.pkey is not None
    return interface.name.rpartition(".")[0] if is_partition else None


def partition_key(text: str) -> int:
    """A partition key as the device has it, with the bit of full membership (InfiniBand, volume 1, 10.9.1)."""
    return int(text, 16) | _FULL_MEMBER


def _routes(interface: ResolvedInterface) -> Iterator[Conflict]:
    for route in interface.routes:
        if route.to != "default" and route.to.version != route.via.version:
            message = f"{interface.name}: the route to {route.to} goes by way of {route.via}, of the other family"
            hint = f"name a router with an IPv{route.to.version} address"
            yield Conflict(interface.name, ("routes",), message, hint)


def _memberships(interfaces: Sequence[ResolvedInterface]) -> Iterator[Conflict]:
    taken: dict[str, str] = {}
    for each in interfaces:
        for member in each.bond.members if each.bond else ():
            if member in taken:
                message = f"{member} is a member of {taken[member]} and of {each.name}"
                yield Conflict(each.name, ("bond", "members"), message, "take it out of one of them")
            taken.setdefault(member, each.name)


def _partition(interface: ResolvedInterface, by_name: Devices) -> Iterator[Conflict]:
    infiniband = interface.infiniband
    if infiniband is None or infiniband.pkey is None:
        return
    key = ("infiniband", "pkey")
    parent = by_name.get(parent_of(interface) or "")
    if parent is None or parent.type is not DeviceType.INFINIBAND:
        message = f"{interface.name} has a pkey, so its name has to start with its InfiniBand device"
        yield Conflict(interface.name, key, message, "such as ib0.8001, with ib0 another interface of the node")
    if partition_key(infiniband.pkey) == _FULL_MEMBER:
        message = f"{infiniband.pkey} is no partition of InfiniBand: the key is 0"
        yield Conflict(interface.name, key, message, "write the key of a partition, such as 0x8001")


def _circles(by_name: Devices) -> Iterator[Conflict]:
    """Devices that lie on themselves, each circle once."""
    done: set[str] = set()
    for name in by_name:
        path: list[str] = []
        circle = _circle(name, by_name, path, done)
        if circle:
            names = sorted(circle)
            said = f"{' and '.join(names)} lie on each other" if len(names) > 1 else f"{names[0]} lies on itself"
            yield Conflict(names[0], (), said, "one of them has to be a device of its own")


def _circle(name: str, by_name: Devices, path: list[str], done: set[str]) -> list[str]:
    """The devices of the first circle that is found from a device downwards."""
    if name in path:
        return path[path.index(name) :]
    if name in done or name not in by_name:
        return []
    done.add(name)
    path.append(name)
    for below in _below(by_name[name]):
        circle = _circle(below, by_name, path, done)
        if circle:
            return circle
    path.pop()
    return []


def _below(interface: ResolvedInterface) -> Iterator[str]:
    if interface.bond is not None:
        yield from interface.bond.members
    parent = parent_of(interface)
    if parent is not None:
        yield parent
