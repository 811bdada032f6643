"""Addresses of nodes and BMCs: which network each is in, and which of them cannot be carried over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import Any

from provisioner.exchange.warewulf.device import Findings
from provisioner.exchange.warewulf.entry import Fields, Said
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.exchange.warewulf.rule import NET, Target
from provisioner.exchange.warewulf.subnet import Subnets, Wanted
from provisioner.model.address import AddressPattern, InfinibandAddress, MacAddress
from provisioner.model.written import Network
from provisioner.registry.addresses import ipv4_of, ipv6_of

_BMC = "bmc"
_FREE = "give it a free one once the import is done"


def is_single(target: Target) -> bool:
    """Whether a field is an address, of which every machine has its own."""
    return target == (_BMC, "ip") or (target[0] == NET and target[2] in {"mac", "ip", "ipcidr", "ip6"})


def wanted_addresses(ledger: Ledger, fields: Fields, devices: dict[str, str]) -> Iterator[Wanted]:
    """The addresses that a node has, as far as they are addresses."""
    for name in devices:
        ip = _ip(fields, (NET, name))
        if ip is not None:
            mask, ip6 = _mask(ledger, fields, (NET, name), ip), fields.get((NET, name, "ip6"))
            prefix = fields.get((NET, name, "prefix6"))
            length = prefix.value if prefix and isinstance(prefix.value, int) and prefix.value <= 128 else None
            text = ip6.value if ip6 and _is_ipv6(ip6.value) else None
            yield Wanted(IPv4Address(ip.value), mask, name, ip.places[0], ip6=text, prefix6=length)
    ip = _ip(fields, (_BMC,))
    if ip is not None:
        yield Wanted(IPv4Address(ip.value), _mask(ledger, fields, (_BMC,), ip), _BMC, ip.places[0])


@dataclass
class Placer:
    """Puts the addresses of one node after another into networks."""

    ledger: Ledger
    subnets: Subnets
    findings: Findings
    taken: dict[str, str] = field(default_factory=dict)

    def place(self, node: str, fields: Fields, devices: dict[str, str]) -> None:
        """Choose the network of every device of a node, and leave out what cannot be an address of its own."""
        derived = self.findings.derived[node]
        # What is real comes first: a bond often repeats the address of one of its members.
        for name in sorted(devices, key=lambda each: (_kind(fields, each) in {"bond", "vlan"}, each)):
            self._hardware(node, fields.get((NET, name, "mac")))
            network = self._network(node, fields, (NET, name), derived, ("interfaces", devices[name], "network"))
            self._ipv6(node, network, fields.get((NET, name, "ip6")))
        self._network(node, fields, (_BMC,), derived, (_BMC, "network"))

    def _network(
        self, node: str, fields: Fields, at: Target, derived: dict[Target, Any], target: Target
    ) -> Network | None:
        ip = _ip(fields, at)
        if ip is None:
            self._unusable(fields, at)
            return None
        name = self.subnets.name_of(IPv4Address(ip.value))
        if name is None:
            self._drop(ip, "it is in no network that can be carried", _FREE)
            return None
        if self._fits(node, ip, self.subnets.networks[name], ipv4_of):
            for key in ("netmask", "prefix6"):
                if said := fields.get((*at, key)):
                    self.ledger.carry(said.places[0])
            self._note_other_mask(fields, at, ip, name)
        if len(self.subnets.networks) > 1:
            derived[target] = name
        return self.subnets.networks[name]

    def _unusable(self, fields: Fields, at: Target) -> None:
        for key in ("ip", "ipcidr"):
            if said := fields.get((*at, key)):
                self._drop(said, "not an IPv4 address", "write it by hand: interfaces.DEVICE.ip or ip6")

    def _note_other_mask(self, fields: Fields, at: Target, ip: Said, name: str) -> None:
        said = fields.get((*at, "netmask"))
        cidr = self.subnets.networks[name].cidr
        if said is not None and said.value != str(cidr.netmask):
            reason = f"{ip.value} is taken into the network {name}, which is {cidr}"
            self.ledger.remark(said.places[0], reason, "networks that overlap are one network here")

    def _ipv6(self, node: str, network: Network | None, said: Said | None) -> None:
        if said is None:
            return
        if network is None:
            self._drop(said, "an IPv6 address needs a device with an IPv4 address in a network", _FREE)
        else:
            self._fits(node, said, network, ipv6_of)

    def _fits(self, node: str, said: Said, network: Network, make: Callable[..., object]) -> bool:
        text = said.value.partition("/")[0]
        try:
            make(node, AddressPattern(text), network)
        except ValueError as error:
            self._drop(said, str(error), _FREE)
            return False
        return self._claim(node, said, text)

    def _hardware(self, node: str, said: Said | None) -> None:
        if said is not None and not self.findings.dropped.intersection(said.places):
            text = said.value
            mac = InfinibandAddress(text) if InfinibandAddress.looks_like(text) else MacAddress(text)
            self._claim(node, said, str(mac))

    def _claim(self, node: str, said: Said, value: str) -> bool:
        owner = self.taken.setdefault(value, node)
        if owner == node and (node, value) not in self._claims:
            self._claims.add((node, value))
            return True
        whose = f"{owner} has it already" if owner != node else "another device of the node has it already"
        self._drop(said, whose, _FREE)
        return False

    def _drop(self, said: Said, reason: str, advice: str) -> None:
        self.findings.dropped.update(said.places)
        self.ledger.remark(said.places[0], reason, advice)

    _claims: set[tuple[str, str]] = field(default_factory=set)


def _ip(fields: Fields, at: Target) -> Said | None:
    """The IPv4 address below a path, written alone or with its prefix; None where it is none."""
    said, cidr = fields.get((*at, "ip")), fields.get((*at, "ipcidr"))
    if said is None and cidr is not None:
        said = Said(cidr.value.partition("/")[0], cidr.places)
    try:
        IPv4Address(said.value if said else "")
    except ValueError:
        return None
    return said


def _mask(ledger: Ledger, fields: Fields, at: Target, ip: Said) -> str | None:
    said, cidr = fields.get((*at, "netmask")), fields.get((*at, "ipcidr"))
    text = said.value if said else (cidr.value.partition("/")[2] if cidr else "")
    if not text:
        return None
    try:
        IPv4Interface(f"{ip.value}/{text}")
    except ValueError as error:
        ledger.remark((said or cidr or ip).places[0], str(error), "mend the cidr of the network")
        return None
    return str(text)


def _kind(fields: Fields, name: str) -> str:
    said = fields.get((NET, name, "type"))
    return said.value if said else ""


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
