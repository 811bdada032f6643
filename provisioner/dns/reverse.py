"""Names below in-addr.arpa and ip6.arpa (RFC 1035 section 3.5, RFC 3596 section 2.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from provisioner.model.address import Address

_V4 = ".in-addr.arpa"
_V6 = ".ip6.arpa"

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ReverseName:
    """The addresses below a reverse name; `exact` unless labels follow that no address has."""

    network: Network
    exact: bool

    @property
    def address(self) -> Address | None:
        """The one address that the name means, or None."""
        whole = self.network.prefixlen == self.network.max_prefixlen
        return self.network.network_address if whole and self.exact else None

    def apex_in(self, network: Network) -> str | None:
        """The zone of a served network that holds this name, or None outside of it.

        Zones end where labels end: 10.1.0.0/20 is sixteen zones, 0.1.10.in-addr.arpa to 15.1.10.in-addr.arpa.
        """
        length = _zone_length(network)
        if self.network.version != network.version or self.network.prefixlen < length:
            return None
        if self.network.network_address not in network:
            return None
        return name_of(self.network.supernet(new_prefix=length))


def parse(name: str) -> ReverseName | None:
    """Read a name; None when it is not below either domain."""
    if name.endswith(_V4):
        return _parse_v4(name.removesuffix(_V4).split("."))
    if name.endswith(_V6):
        return _parse_v6(name.removesuffix(_V6).split("."))
    return None


def name_of(network: Network) -> str:
    """The reverse name of a network that ends where a label ends; an address is its own /32 or /128."""
    if network.version == 4:
        parts = str(network.network_address).split(".")[: network.prefixlen // 8]
        return ".".join(reversed(parts)) + _V4
    digits = network.network_address.exploded.replace(":", "")[: network.prefixlen // 4]
    return ".".join(reversed(digits)) + _V6


def zones_of(network: Network) -> Iterator[str]:
    """The zones of a served network: one, or up to 128 where it ends inside a label."""
    return map(name_of, network.subnets(new_prefix=_zone_length(network)))


def _zone_length(network: Network) -> int:
    step = 8 if network.version == 4 else 4
    return -(-network.prefixlen // step) * step


def _parse_v4(labels: list[str]) -> ReverseName:
    octets: list[int] = []
    for label in reversed(labels[-4:]):
        if not (label.isascii() and label.isdecimal() and str(int(label)) == label and int(label) < 256):
            break
        octets.append(int(label))
    packed = bytes(octets).ljust(4, b"\0")
    return ReverseName(IPv4Network((packed, len(octets) * 8)), exact=len(octets) == len(labels))


def _parse_v6(labels: list[str]) -> ReverseName:
    digits = ""
    for label in reversed(labels[-32:]):
        if len(label) != 1 or label not in "0123456789abcdef":
            break
        digits += label
    packed = bytes.fromhex(digits.ljust(32, "0"))
    return ReverseName(IPv6Network((packed, len(digits) * 4)), exact=len(digits) == len(labels))
