"""What is a DNS question answered? Every name follows from the snapshot; there are no zone files.

In each network's domain: a node's own name is the interface that boots, each further interface is NODE-INTERFACE,
and `provisioner` is this server. The reverse zones are those of the networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from zlib import crc32

from provisioner.dns.message import Authority, Code, Kind, Question, Record, Reply
from provisioner.dns.reverse import ReverseName, parse
from provisioner.model.address import Address
from provisioner.model.hostnames import addresses, device_label
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network

SERVER_NAME = "provisioner"

# Zone transfers (IXFR, AXFR): a secondary has nothing to fetch that another head does not have already.
_TRANSFERS = frozenset({251, 252})


@dataclass(frozen=True, slots=True)
class Zones:
    """All zones of a snapshot: `domains` with the addresses of this server in each, nodes by lower-case name."""

    snapshot: Snapshot
    domains: Mapping[str, tuple[IPv4Address, ...]]
    nodes: Mapping[str, ResolvedNode]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Zones:
        """The zones of a site. About 0.2 us a node."""
        domains: dict[str, tuple[IPv4Address, ...]] = {}
        for network in snapshot.site.networks.values():
            domain = network.domain.lower()
            domains[domain] = (*domains.get(domain, ()), network.head)
        nodes = {name.lower(): node for name, node in snapshot.nodes.items()}
        return cls(snapshot, domains, nodes)

    def answer(self, question: Question) -> Reply:
        """The reply: REFUSED outside our zones, NXDOMAIN for no such name, and no records for no such type."""
        reverse = parse(question.name)
        apex, domain = self._reverse_apex(reverse) if reverse else self._forward_apex(question.name)
        if apex is None or question.kind in _TRANSFERS:
            return Reply(Code.REFUSED)
        soa = self._soa(apex, domain)
        records = self._reverse(question.name, reverse) if reverse else self._forward(question.name, apex)
        if question.name == apex:
            records = [*(records or ()), Record(apex, Kind.NS, f"{SERVER_NAME}.{domain}"), soa]
        if records is None:
            return Reply(Code.NAME_ERROR, authority=(soa,))
        found = tuple(each for each in records if question.kind in {each.kind, Kind.ANY})
        return Reply(Code.NO_ERROR, found, () if found else (soa,))

    def _forward_apex(self, name: str) -> tuple[str | None, str]:
        suffix = name
        while suffix:
            if suffix in self.domains:
                return suffix, suffix
            suffix = suffix.partition(".")[2]
        return None, ""

    def _reverse_apex(self, reverse: ReverseName) -> tuple[str | None, str]:
        for cidr, network in self._networks():
            apex = reverse.apex_in(cidr)
            if apex is not None:
                return apex, network.domain.lower()
        return None, ""

    def _networks(self) -> Iterator[tuple[IPv4Network | IPv6Network, Network]]:
        for network in self.snapshot.site.networks.values():
            yield network.cidr, network
            if network.cidr6:
                yield network.cidr6, network

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
        interface = self._further(host, apex)
        return _addresses(name, addresses(interface)) if interface else None

    def _further(self, host: str, apex: str) -> ResolvedInterface | None:
        # Both halves may contain hyphens, so each one may be the border.
        for at in (index for index, letter in enumerate(host) if letter == "-"):
            node = self._node(host[:at], apex)
            for interface in node.interfaces if node else ():
                if device_label(interface.name) == host[at + 1 :] and interface is not _main(node):
                    return interface
        return None

    def _node(self, host: str, apex: str) -> ResolvedNode | None:
        node = self.nodes.get(host)
        return node if node is not None and node.domain.lower() == apex else None

    def _reverse(self, name: str, reverse: ReverseName) -> list[Record] | None:
        address = reverse.address
        if address is None:
            # Whether any address below exists is not worth a search: "no such type" is true of all of them.
            return [] if reverse.exact else None
        target = self._name_at(address)
        return [Record(name, Kind.PTR, target)] if target else None

    def _name_at(self, address: Address) -> str | None:
        node = self.snapshot.by_address.get(address)
        if node is not None:
            interface = next(each for each in node.interfaces if address in addresses(each))
            own = interface is _main(node)
            return node.fqdn if own else f"{node.name}-{device_label(interface.name)}.{node.domain}"
        served = (domain for domain, own in self.domains.items() if address in own)
        domain = next(served, None)
        return f"{SERVER_NAME}.{domain}" if domain else None

    def _soa(self, apex: str, domain: str) -> Record:
        # Nobody transfers the zones, so the serial has only to change with them.
        serial = crc32(self.snapshot.revision.encode())
        return Record(apex, Kind.SOA, Authority(f"{SERVER_NAME}.{domain}", f"hostmaster.{domain}", serial))


def _addresses(name: str, addresses: Iterable[Address]) -> list[Record]:
    return [Record(name, Kind.A if each.version == 4 else Kind.AAAA, each) for each in addresses]


def _main(node: ResolvedNode | None) -> ResolvedInterface | None:
    """The interface that the node's own name means: the one that boots, else the first, if it has an address."""
    if node is None:
        return None
    interfaces = (node.boot_interface, *node.interfaces)
    return next((each for each in interfaces if each and addresses(each)), None)
