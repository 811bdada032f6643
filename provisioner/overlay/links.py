"""The network devices of a node in the form and order that every network backend needs.

Six backends say the same in six languages. What is decided about a node is decided here, once: which device has
the default route, who speaks for the members of a bond, what the head node stands in for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import Literal, TypeVar
from uuid import UUID, uuid5

from provisioner.model.address import Address, InfinibandAddress, MacAddress
from provisioner.model.device import Bond, BondMode, DeviceType
from provisioner.model.devicestack import conflicts, parent_of, partition_key
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.written import Network, Site

_NAMESPACE = UUID("b8b1d8f4-6a53-5c0c-9a86-6c1e5f0f6d0b")
_EVERYWHERE: Mapping[int, IPv4Network | IPv6Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
# A bond that looks after no link never notices a broken one. In milliseconds.
_MIIMON = 100
_METRIC_STEP = 100
# What the kernel takes for no metric (IP6_RT_PRIO_USER of include/uapi/linux/ipv6_route.h); the smallest is best.
_NO_METRIC = {4: 0, 6: 1024}
_HASHING = frozenset({BondMode.BALANCE_XOR, BondMode.LACP, BondMode.BALANCE_TLB})

InterfaceAddress = IPv4Interface | IPv6Interface
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LinkRoute:
    """A route by way of a router; `on_link` where the router is in none of the networks of the device."""

    to: IPv4Network | IPv6Network
    via: Address
    metric: int | None = None
    on_link: bool = False

    @property
    def is_default(self) -> bool:
        """Whether everything goes there that goes nowhere else."""
        return self.to.prefixlen == 0


@dataclass(frozen=True, slots=True)
class LinkBond:
    """The settings of a bond that its mode knows; times in milliseconds."""

    members: tuple[str, ...]
    mode: BondMode
    miimon: int
    updelay: int | None
    downdelay: int | None
    lacp_rate: str | None
    xmit_hash_policy: str | None


@dataclass(frozen=True, slots=True)
class Link:
    """One network device, complete.

    `is_boot`: stage 1 has set its address, and whatever configures it must not take that away. `is_required`: the
    node is not online without it. `master` is the bond that it belongs to, `parent` the device that a VLAN or a
    partition of InfiniBand lies on, `vlans` and `partitions` what lies on it. `replaces` is the boot device whose
    addresses this bond takes over.
    """

    name: str
    type: DeviceType
    uuid: UUID
    mac: MacAddress | None
    infiniband_address: InfinibandAddress | None
    addresses: tuple[InterfaceAddress, ...]
    routes: tuple[LinkRoute, ...]
    dns: tuple[Address, ...]
    search: tuple[str, ...]
    mtu: int | None
    onboot: bool
    is_boot: bool
    is_required: bool
    replaces: str | None = None
    master: str | None = None
    parent: str | None = None
    bond: LinkBond | None = None
    vlan_id: int | None = None
    infiniband_mode: Literal["datagram", "connected"] | None = None
    pkey: int | None = None
    vlans: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()

    @property
    def is_made(self) -> bool:
        """Whether software makes the device, so that its name is its own from the start."""
        return self.bond is not None or self.parent is not None

    @property
    def ip4(self) -> tuple[IPv4Interface, ...]:
        """The IPv4 addresses."""
        return tuple(each for each in self.addresses if isinstance(each, IPv4Interface))

    @property
    def ip6(self) -> tuple[IPv6Interface, ...]:
        """The IPv6 addresses."""
        return tuple(each for each in self.addresses if isinstance(each, IPv6Interface))

    @property
    def routes4(self) -> tuple[LinkRoute, ...]:
        """The routes of IPv4, the default route first."""
        return tuple(each for each in self.routes if each.to.version == 4)

    @property
    def routes6(self) -> tuple[LinkRoute, ...]:
        """The routes of IPv6, the default route first."""
        return tuple(each for each in self.routes if each.to.version == 6)

    @property
    def dns4(self) -> tuple[Address, ...]:
        """The name servers that are reached by IPv4."""
        return tuple(each for each in self.dns if each.version == 4)

    @property
    def dns6(self) -> tuple[Address, ...]:
        """The name servers that are reached by IPv6."""
        return tuple(each for each in self.dns if each.version == 6)


def links_of(site: Site, node: ResolvedNode) -> tuple[Link, ...]:
    """The devices of a node that can be configured, each after those that it lies on.

    The boot device without a MAC is left out: the machine is not known yet. Raises ValueError for devices that no
    backend could make (`model.devicestack`), which the registry tells where they are written.
    """
    for conflict in conflicts(node.interfaces):
        raise ValueError(conflict.message)
    return _Making(site, node).links()


class _Making:
    def __init__(self, site: Site, node: ResolvedNode) -> None:
        self._site = site
        self._node = node
        self._by_name = {each.name: each for each in node.interfaces if _is_known(each, node)}
        self._masters = dict(self._memberships())
        self._parents = {name: parent_of(each) for name, each in self._by_name.items()}
        self._depths: dict[str, int] = {}

    def links(self) -> tuple[Link, ...]:
        made = [self._link(each) for each in sorted(self._by_name.values(), key=self._depth)]
        return tuple(_with_one_default(made, self._network_gateways(made)))

    def _memberships(self) -> Iterator[tuple[str, str]]:
        for each in self._by_name.values():
            for member in each.bond.members if each.bond else ():
                if member in self._by_name:
                    yield member, each.name

    def _depth(self, interface: ResolvedInterface) -> int:
        """How many devices have to be there before this one."""
        # Told once for each: two members of a bond may lie on the same device.
        if interface.name not in self._depths:
            members = interface.bond.members if interface.bond else ()
            below = [name for name in (*members, self._parents[interface.name]) if name in self._by_name]
            depth = max((1 + self._depth(self._by_name[name]) for name in below if name), default=0)
            self._depths[interface.name] = depth
        return self._depths[interface.name]

    def _link(self, interface: ResolvedInterface) -> Link:
        spoken = self._spoken_for(interface)
        boots = any(each.name == self._node.primary for each in spoken)
        addresses = tuple(dict.fromkeys(ip for each in spoken for ip in (each.ip, each.ip6) if ip))
        partition = interface.infiniband
        return Link(
            name=interface.name,
            type=interface.type,
            uuid=uuid5(_NAMESPACE, f"{self._site.cluster}/{self._node.name}/{interface.name}"),
            mac=interface.mac,
            infiniband_address=interface.infiniband_address,
            addresses=addresses,
            routes=tuple(dict.fromkeys(route for each in spoken for route in _written_routes(each, addresses))),
            dns=tuple(self._servers(spoken, boots=boots)),
            search=tuple(self._domains(spoken, boots=boots)),
            mtu=next((each.mtu for each in (interface, *spoken) if each.mtu), None),
            onboot=interface.onboot,
            is_boot=boots and interface.name == self._node.primary,
            is_required=boots,
            replaces=self._node.primary if boots and interface.name != self._node.primary else None,
            master=self._masters.get(interface.name),
            parent=self._parents[interface.name],
            bond=_bond(interface.bond, self._members(interface)) if interface.bond else None,
            vlan_id=interface.vlan.id if interface.vlan else None,
            infiniband_mode=partition.mode if partition else None,
            pkey=partition_key(partition.pkey) if partition and partition.pkey else None,
            vlans=tuple(self._children(interface, DeviceType.VLAN)),
            partitions=tuple(self._children(interface, DeviceType.INFINIBAND)),
        )

    def _members(self, interface: ResolvedInterface) -> tuple[str, ...]:
        return tuple(name for name, master in self._masters.items() if master == interface.name)

    def _children(self, interface: ResolvedInterface, kind: DeviceType) -> Iterator[str]:
        for name, parent in self._parents.items():
            if parent == interface.name and self._by_name[name].type is kind:
                yield name

    def _spoken_for(self, interface: ResolvedInterface) -> tuple[ResolvedInterface, ...]:
        """Whose addresses a device has: its own, a bond those of its members too, and a member none."""
        if interface.name in self._masters:
            return ()
        return (interface, *(self._by_name[name] for name in self._members(interface)))

    def _network(self, interface: ResolvedInterface) -> Network | None:
        return self._site.networks.get(interface.network)

    def _servers(self, spoken: Iterable[ResolvedInterface], *, boots: bool) -> Iterable[Address]:
        found = _own_or_network((each.dns, getattr(self._network(each), "dns", ())) for each in spoken)
        if found or not boots:
            return found
        return next((each.heads_in(network) for each in spoken if (network := self._network(each))), ())

    def _domains(self, spoken: Iterable[ResolvedInterface], *, boots: bool) -> Iterable[str]:
        found = _own_or_network((each.search, getattr(self._network(each), "search", ())) for each in spoken)
        return dict.fromkeys([*([self._node.domain] if boots else []), *found])

    def _network_gateways(self, links: Iterable[Link]) -> Iterator[LinkRoute]:
        """The routers of the network that the node boots from, for families that it has an address of."""
        booting = next((each for each in links if each.is_required), None)
        interface = self._node.boot_interface
        network = self._network(interface) if interface else None
        if booting is None or network is None:
            return
        for via, addresses in ((network.gateway, booting.ip4), (network.gateway6, booting.ip6)):
            if via and addresses:
                yield _default(via, booting.addresses)


def _is_known(interface: ResolvedInterface, node: ResolvedNode) -> bool:
    made = interface.type in {DeviceType.BOND, DeviceType.VLAN}
    return bool(made or interface.mac or interface.infiniband_address or interface.name != node.primary)


def _own_or_network(pairs: Iterable[tuple[tuple[T, ...], tuple[T, ...]]]) -> list[T]:
    return list(dict.fromkeys(value for own, networks in pairs for value in own or networks))


def _bond(bond: Bond, members: tuple[str, ...]) -> LinkBond:
    """What the driver takes: it refuses settings of other modes, and delays without miimon."""
    mode = bond.mode or BondMode.BALANCE_RR
    miimon = _MIIMON if bond.miimon is None else bond.miimon
    return LinkBond(
        members=members,
        mode=mode,
        miimon=miimon,
        updelay=bond.updelay if miimon else None,
        downdelay=bond.downdelay if miimon else None,
        lacp_rate=bond.lacp_rate if mode is BondMode.LACP else None,
        xmit_hash_policy=bond.xmit_hash_policy if mode in _HASHING else None,
    )


def _written_routes(interface: ResolvedInterface, addresses: Iterable[InterfaceAddress]) -> Iterator[LinkRoute]:
    for gateway in (interface.gateway, interface.gateway6):
        if gateway:
            yield _default(gateway, addresses)
    for route in interface.routes:
        to = _EVERYWHERE[route.via.version] if route.to == "default" else route.to
        yield LinkRoute(to, route.via, route.metric, _is_off_link(route.via, addresses))


def _default(via: Address, addresses: Iterable[InterfaceAddress]) -> LinkRoute:
    return LinkRoute(_EVERYWHERE[via.version], via, None, _is_off_link(via, addresses))


def _is_off_link(via: Address, addresses: Iterable[InterfaceAddress]) -> bool:
    return not via.is_link_local and not any(via in each.network for each in addresses)


def _with_one_default(links: Iterable[Link], gateways: Iterable[LinkRoute]) -> Iterator[Link]:
    """The links with the gateways of the network where no device has one of its own, and metrics all different."""
    links = list(links)
    written = {route.to.version for each in links for route in each.routes if route.is_default}
    missing = tuple(route for route in gateways if route.to.version not in written)
    taken: dict[int, set[int]] = {4: set(), 6: set()}
    spaced: dict[str, tuple[LinkRoute, ...]] = {}
    # The network that a node boots from is the one that has to work.
    for each in sorted(links, key=lambda link: not link.is_required):
        routes = (*(missing if each.is_required else ()), *each.routes)
        spaced[each.name] = tuple(_spaced(sorted(routes, key=lambda route: not route.is_default), taken))
    return (replace(each, routes=spaced[each.name]) for each in links)


def _spaced(routes: Iterable[LinkRoute], taken: Mapping[int, set[int]]) -> Iterator[LinkRoute]:
    """Two default routes of one metric are an error to the kernel: later ones get the next free metric."""
    for route in routes:
        metrics, unwritten = taken[route.to.version], _NO_METRIC[route.to.version]
        if not route.is_default:
            yield route
            continue
        metric = route.metric or unwritten
        while metric in metrics:
            metric += _METRIC_STEP
        metrics.add(metric)
        yield replace(route, metric=None if metric == unwritten else metric)
