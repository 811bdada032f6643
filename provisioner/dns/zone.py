"""What is a DNS question answered? Every name follows from the snapshot; there are no zone files.

In each network's domain: a node's own name is the interface that boots, each further interface is NODE-INTERFACE,
its management controller NODE-bmc, and `provisioner` is this server. Aliases and services are those of the site.
The reverse zones are those of the networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network

from provisioner.dns.message import TRANSFERS, Authority, Code, Kind, Question, Record, Reply, Target
from provisioner.dns.reverse import ReverseName, name_of, parse, zones_of
from provisioner.model.address import Address
from provisioner.model.hostnames import addresses, device_label
from provisioner.model.nameservice import NamedService
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network

SERVER_NAME = "provisioner"
BMC_LABEL = "bmc"

_PRIORITY_STEP = 10


@dataclass(frozen=True)
class Zones:
    """All zones of a snapshot: `domains` with the addresses of this server in each, nodes by lower-case name.

    `serial` is that of every zone; a secondary copies a zone again when it grows.
    """

    snapshot: Snapshot
    domains: Mapping[str, tuple[Address, ...]]
    nodes: Mapping[str, ResolvedNode]
    serial: int

    @classmethod
    def of(cls, snapshot: Snapshot, serial: int = 1) -> Zones:
        """The zones of a site. About 0.2 us a node."""
        domains: dict[str, tuple[Address, ...]] = {}
        for network in snapshot.site.networks.values():
            domain = network.domain.lower()
            domains[domain] = (*domains.get(domain, ()), *_heads(network))
        nodes = {name.lower(): node for name, node in snapshot.nodes.items()}
        return cls(snapshot, domains, nodes, serial)

    @property
    def forwards(self) -> bool:
        """Whether names outside of the zones can be asked here, too."""
        return bool(self.snapshot.site.dns.forwarders)

    @cached_property
    def apexes(self) -> Mapping[str, str]:
        """The names of all zones, each with the domain whose server it names."""
        reverse = {apex: domain for cidr, domain in self._networks() for apex in zones_of(cidr)}
        return {**reverse, **{domain: domain for domain in self.domains}}

    def answer(self, question: Question) -> Reply:
        """The reply: REFUSED outside our zones, NXDOMAIN for no such name, and no records for no such type."""
        reverse = parse(question.name)
        apex, domain = self._reverse_apex(reverse) if reverse else self._forward_apex(question.name)
        if apex is None or question.kind in TRANSFERS:
            return Reply(Code.REFUSED)
        soa = self.authority(apex, domain)
        records = self._reverse(question.name, reverse) if reverse else self._forward(question.name, apex)
        if question.name == apex:
            records = [*(records or ()), self._name_server(apex, domain), soa]
        if records is None:
            return Reply(Code.NAME_ERROR, authority=(soa,))
        found = self._followed([each for each in records if _fits(each, question.kind)], question.kind)
        # The SOA says how long a "no" may be kept, also one behind an alias (RFC 2308 section 2.2).
        is_there = any(question.kind in {each.kind, Kind.ANY} for each in found)
        return Reply(Code.NO_ERROR, found, () if is_there else (soa,))

    def authority(self, apex: str, domain: str) -> Record:
        """The SOA record of a zone."""
        return Record(apex, Kind.SOA, Authority(f"{SERVER_NAME}.{domain}", f"hostmaster.{domain}", self.serial))

    def records(self, apex: str) -> Iterator[Record]:
        """All records of a zone (`apexes` names them), its SOA first and not again at the end."""
        domain = self.apexes[apex]
        yield self.authority(apex, domain)
        yield self._name_server(apex, domain)
        reverse = parse(apex)
        yield from self._pointers(reverse.network) if reverse else self._names(apex)

    def _name_server(self, apex: str, domain: str) -> Record:
        return Record(apex, Kind.NS, f"{SERVER_NAME}.{domain}")

    def _followed(self, found: list[Record], kind: int) -> tuple[Record, ...]:
        """An alias with what the node behind it has of this type (RFC 1034 section 4.3.2)."""
        if len(found) == 1 and found[0].kind is Kind.CNAME and kind not in {Kind.CNAME, Kind.ANY}:
            target = str(found[0].value)
            found += self.answer(Question(target, kind)).answers
        return tuple(found)

    def _forward_apex(self, name: str) -> tuple[str | None, str]:
        suffix = name
        while suffix:
            if suffix in self.domains:
                return suffix, suffix
            suffix = suffix.partition(".")[2]
        return None, ""

    def _reverse_apex(self, reverse: ReverseName) -> tuple[str | None, str]:
        for cidr, domain in self._networks():
            apex = reverse.apex_in(cidr)
            if apex is not None:
                return apex, domain
        return None, ""

    def _networks(self) -> Iterator[tuple[IPv4Network | IPv6Network, str]]:
        for network in self.snapshot.site.networks.values():
            for cidr in _cidrs(network):
                yield cidr, network.domain.lower()

    def _forward(self, name: str, apex: str) -> list[Record] | None:
        if name == apex:
            return []
        host = name.removesuffix(f".{apex}")
        if host == SERVER_NAME:
            return _addresses(name, self.domains[apex])
        node = self._node(host, apex)
        if node is not None:
            main = _main(node)
            return _addresses(name, addresses(main)) if main else []
        further = self._further(host, apex)
        return _addresses(name, further) if further else self._special(name, host, apex)

    def _further(self, host: str, apex: str) -> tuple[Address, ...]:
        # Both halves may contain hyphens, so each one may be the border.
        for at in (index for index, letter in enumerate(host) if letter == "-"):
            node = self._node(host[:at], apex)
            for label, found in _labels(node) if node else ():
                if label == host[at + 1 :]:
                    return found
        return ()

    def _special(self, name: str, host: str, apex: str) -> list[Record] | None:
        if host in self._aliases:
            domain = self._domain_of(self._aliases[host])
            # An alias stands in the domain of its node, and in that one alone.
            return [self._alias(host, apex)] if domain in {apex, None} else None
        if host in self._services:
            return list(self._service(name, self._services[host]))
        # A name above a service exists too, without records (RFC 8020).
        return [] if any(each.endswith(f".{host}") for each in self._services) else None

    @cached_property
    def _aliases(self) -> Mapping[str, str]:
        return {alias.lower(): node.lower() for alias, node in self.snapshot.site.dns.aliases.items()}

    @cached_property
    def _services(self) -> Mapping[str, list[NamedService]]:
        found: dict[str, list[NamedService]] = {}
        for service in self.snapshot.site.dns.services:
            found.setdefault(service.name, []).append(service)
        return found

    def _alias(self, alias: str, apex: str) -> Record:
        return Record(f"{alias}.{apex}", Kind.CNAME, f"{self._aliases[alias]}.{apex}")

    def _service(self, name: str, services: Iterable[NamedService]) -> Iterator[Record]:
        apex = self._forward_apex(name)[1]
        for service in services:
            for index, node in enumerate(service.nodes):
                target = Target(_PRIORITY_STEP * index, service.port, self._full(node.lower(), apex))
                yield Record(name, Kind.SRV, target)

    def _domain_of(self, host: str) -> str | None:
        """The domain of a node; None for this server, which is in all of them, and for no node."""
        node = self.nodes.get(host)
        return node.domain.lower() if node else None

    def _full(self, host: str, apex: str) -> str:
        return f"{host}.{self._domain_of(host) or apex}"

    def _node(self, host: str, apex: str) -> ResolvedNode | None:
        node = self.nodes.get(host)
        return node if node is not None and node.domain.lower() == apex else None

    def _names(self, apex: str) -> Iterator[Record]:
        yield from _addresses(f"{SERVER_NAME}.{apex}", self.domains[apex])
        for name, node in self.nodes.items():
            if node.domain.lower() != apex:
                continue
            main = _main(node)
            yield from _addresses(f"{name}.{apex}", addresses(main) if main else ())
            for label, found in _labels(node):
                if f"{name}-{label}" not in self.nodes:
                    yield from _addresses(f"{name}-{label}.{apex}", found)
        for alias, host in self._aliases.items():
            if self._domain_of(host) in {apex, None}:
                yield self._alias(alias, apex)
        for name, services in self._services.items():
            yield from self._service(f"{name}.{apex}", services)

    def _reverse(self, name: str, reverse: ReverseName) -> list[Record] | None:
        address = reverse.address
        if address is None:
            # Whether any address below exists is not worth a search: "no such type" is true of all of them.
            return [] if reverse.exact else None
        target = self._name_at(address)
        return [Record(name, Kind.PTR, target)] if target else None

    def _pointers(self, network: IPv4Network | IPv6Network) -> Iterator[Record]:
        heads = (head for own in self.domains.values() for head in own)
        for address in dict.fromkeys((*heads, *self.snapshot.by_address, *self._controllers)):
            if address in network and (target := self._name_at(address)):
                yield Record(name_of(_alone(address)), Kind.PTR, target)

    def _name_at(self, address: Address) -> str | None:
        node = self.snapshot.by_address.get(address)
        if node is not None:
            interface = next(each for each in node.interfaces if address in addresses(each))
            own = interface is _main(node)
            return node.fqdn if own else f"{node.name}-{device_label(interface.name)}.{node.domain}"
        if address in self._controllers:
            return self._controllers[address]
        served = (domain for domain, own in self.domains.items() if address in own)
        domain = next(served, None)
        return f"{SERVER_NAME}.{domain}" if domain else None

    @cached_property
    def _controllers(self) -> Mapping[Address, str]:
        """The names of management controllers by address."""
        nodes = (node for node in self.nodes.values() if node.bmc and node.bmc.ip)
        return {
            node.bmc.ip.ip: f"{node.name}-{BMC_LABEL}.{node.domain}" for node in nodes if node.bmc and node.bmc.ip
        }


def _fits(record: Record, kind: int) -> bool:
    return kind in {record.kind, Kind.ANY} or record.kind is Kind.CNAME


def _heads(network: Network) -> Iterator[Address]:
    yield from network.heads
    if network.head6:
        yield network.head6


def _cidrs(network: Network) -> Iterator[IPv4Network | IPv6Network]:
    yield network.cidr
    if network.cidr6:
        yield network.cidr6


def _alone(address: Address) -> IPv4Network | IPv6Network:
    return IPv4Network(address) if address.version == 4 else IPv6Network(address)


def _addresses(name: str, addresses: Iterable[Address]) -> list[Record]:
    return [Record(name, Kind.A if each.version == 4 else Kind.AAAA, each) for each in addresses]


def _labels(node: ResolvedNode) -> Iterator[tuple[str, tuple[Address, ...]]]:
    """What follows NODE- in its further names, with the addresses; an interface called bmc is before the other."""
    main = _main(node)
    for interface in node.interfaces:
        if interface is not main and (own := addresses(interface)):
            yield device_label(interface.name), own
    if node.bmc and node.bmc.ip:
        yield BMC_LABEL, (node.bmc.ip.ip,)


def _main(node: ResolvedNode | None) -> ResolvedInterface | None:
    """The interface that the node's own name means: the one that boots, else the first, if it has an address."""
    if node is None:
        return None
    interfaces = (node.boot_interface, *node.interfaces)
    return next((each for each in interfaces if each and addresses(each)), None)
