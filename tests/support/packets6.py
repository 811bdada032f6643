"""Who asks by DHCPv6: messages as real clients send them, and a network that has IPv6 addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

from hypothesis import strategies as st
from scapy.layers.dhcp6 import DHCP6, DHCP6_RelayReply

from provisioner.dhcp.v6.message import Association, Kind, Lent, Message, Option, Packet, Relay, Status
from provisioner.model.snapshot import Snapshot
from tests.support.packets import MAC, demo

HEAD = IPv6Address("fd77::1")
MINE = IPv6Address("fd77::11")
LINK_LOCAL = IPv6Address("fe80::5054:ff:fe77:10")
"""What firmware with the address MAC makes of it."""

NOBODY = IPv6Address("fe80::1234:5678:9abc:def0")
"""A link-local address that tells nothing."""

_INTEL = (343).to_bytes(4)


def duid_ll(mac: str = MAC) -> bytes:
    """A DUID made of an Ethernet address alone."""
    return b"\0\x03\0\x01" + bytes.fromhex(mac.replace(":", ""))


def duid_llt(mac: str = MAC) -> bytes:
    """The same with the time at which it was made."""
    return b"\0\x01\0\x01" + bytes.fromhex("2c4e5a01") + bytes.fromhex(mac.replace(":", ""))


@dataclass(frozen=True, slots=True)
class Firmware6:
    """One kind of client, by the options that it always sends."""

    name: str
    options: Mapping[int, bytes]

    def message(
        self,
        kind: int,
        *,
        duid: bytes | None = None,
        server: bytes | None = None,
        wanted: str | None = None,
        extra: tuple[tuple[int, bytes], ...] = (),
        iaids: tuple[int, ...] = (7,),
    ) -> Message:
        """A message of this kind for each of the associations."""
        named = [(Option.CLIENT, duid_llt() if duid is None else duid)] if duid != b"" else []
        if server is not None:
            named.append((Option.SERVER, server))
        addresses = (Lent(IPv6Address(wanted)),) if wanted else ()
        associations = tuple(Association(iaid, addresses=addresses) for iaid in iaids)
        options = tuple((int(code), value) for code, value in (*named, *self.options.items(), *extra))
        return Message(kind, 0x7A6B5C, associations, None, options)


def _vendor(text: bytes) -> bytes:
    return _INTEL + len(text).to_bytes(2) + text


SYSTEM = Firmware6("system", {6: bytes.fromhex("00170018"), 8: b"\0\0"})
PXE = Firmware6("pxe", {16: _vendor(b"PXEClient:Arch:00007:UNDI:003001"), 61: b"\0\x07", 62: b"\x01\x03\0"})
HTTP = Firmware6("http", {16: _vendor(b"HTTPClient:Arch:00016:UNDI:003001"), 61: b"\0\x10", 62: b"\x01\x03\0"})
IPXE = Firmware6("ipxe", {**PXE.options, 15: b"\0\x04iPXE", 16: _vendor(b"PXEClient:Arch:00007:UNDI:003010")})
ALL = (SYSTEM, PXE, HTTP, IPXE)


def demo6(**network: object) -> Snapshot:
    """The site of `demo`, with DHCPv6 on the network fd77::/64, where n001 has fd77::11."""
    return demo(**{"cidr6": "fd77::/64", "dhcp6": "authoritative", **network})


def scapy_view(datagram: bytes) -> dict[str, Any]:
    """What scapy reads in a server's message: its type and number, and option layers by their class name."""
    parsed = DHCP6(datagram)
    if parsed.msgtype == 13:
        parsed = DHCP6_RelayReply(datagram)
    found: dict[str, Any] = {"kind": parsed.msgtype, "number": getattr(parsed, "trid", None)}
    layer = parsed.payload
    while layer:
        found[type(layer).__name__] = layer
        layer = layer.payload
    return found


_ADDRESS = st.sampled_from(["fd77::11", "fd77::1", "fd77::99", "fd99::1", "::", "fe80::1", str(LINK_LOCAL)])
_OPTIONS = {
    Option.CLIENT: st.sampled_from([duid_ll(), duid_llt(), b"", b"\0\x04" + bytes(16)]) | st.binary(max_size=40),
    Option.RAPID_COMMIT: st.just(b""),
    Option.USER_CLASS: st.binary(max_size=9) | st.just(b"\0\x04iPXE"),
    Option.VENDOR_CLASS: st.binary(max_size=9) | st.sampled_from([PXE.options[16], HTTP.options[16]]),
    Option.ARCHITECTURE: st.binary(max_size=5),
    Option.INTERFACE: st.binary(max_size=5),
    Option.LINK_ADDRESS: st.binary(max_size=9),
}
_options = st.fixed_dictionaries({}, optional=dict(_OPTIONS)).map(
    lambda found: tuple((int(code), value) for code, value in found.items())
)
_lent = st.builds(Lent, _ADDRESS.map(IPv6Address), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
_status = st.none() | st.builds(Status, st.integers(0, 65535), st.text(max_size=5))
_number = st.integers(0, 2**32 - 1)
_association = st.builds(Association, _number, _number, _number, st.lists(_lent, max_size=2).map(tuple), _status)
_message = st.builds(
    Message,
    st.sampled_from([kind.value for kind in Kind if kind < Kind.RELAY_FORWARD] + [0, 200]),
    st.integers(0, 2**24 - 1),
    st.lists(_association, max_size=2).map(tuple),
    _status,
    _options,
)
_relay = st.builds(Relay, st.integers(0, 255), _ADDRESS.map(IPv6Address), _ADDRESS.map(IPv6Address), _options)


def packets() -> st.SearchStrategy[Packet]:
    """Any message in up to three relays; half of the options are nonsense."""
    return st.builds(Packet, _message, st.lists(_relay, max_size=3).map(tuple))


def sources() -> st.SearchStrategy[IPv6Address]:
    """Where a datagram may come from."""
    return _ADDRESS.map(IPv6Address)
