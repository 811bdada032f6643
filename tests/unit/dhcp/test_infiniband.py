"""InfiniBand devices: no room for their address in a message, so the client identifier tells them (RFC 4390)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

import pytest
from scapy.layers.dhcp import BOOTP, DHCP

from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import decode, encode
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.message import Kind
from provisioner.dhcp.policy import answer
from provisioner.dhcp.reply import destination
from provisioner.model.address import InfinibandAddress, MacAddress
from provisioner.model.device import DeviceType
from provisioner.model.resolved import ResolvedInterface
from tests.support.packets import IPXE_BIOS, MAC, interface, node, snapshot
from tests.support.resolved import catalogue

ADDRESS = InfinibandAddress("80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:21:8b:51")
GUID = bytes.fromhex("0002c90300218b51")
STANDS_FOR = MacAddress("00:02:c9:21:8b:51")
DEVICE = ResolvedInterface(
    name="ib0",
    network="provision",
    type=DeviceType.INFINIBAND,
    infiniband_address=ADDRESS,
    ip=IPv4Interface("10.77.0.31/24"),
)
SITE = snapshot(node("n001", DEVICE, interface("eth0", "10.77.0.11/24", mac=MAC)))
IPXE = b"\x20" + GUID
MELLANOX = bytes.fromhex("ff000000000002000002c900") + GUID
DUID = b"\xff\0\0\0\1\0\3\0\x20" + bytes.fromhex(ADDRESS.replace(":", ""))


def sent(identifier: bytes, *, chaddr: bytes = b"", kind: Kind = Kind.DISCOVER) -> bytes:
    """The message as scapy writes it."""
    options = [(code, value) for code, value in IPXE_BIOS.options.items() if code not in (61, 97)]
    head = BOOTP(op=1, htype=32, hlen=len(chaddr), xid=9, flags=0x8000, chaddr=chaddr)
    return bytes(head / DHCP(options=[("message-type", int(kind)), ("client_id", identifier), *options, "end"]))


@pytest.mark.parametrize("identifier", [IPXE, MELLANOX, DUID], ids=["ipxe", "mellanox", "duid"])
def test_the_guid_at_the_end_of_the_identifier_finds_the_interface(identifier: bytes) -> None:
    context = Context(SITE, catalogue(), IPv4Address("10.77.0.1"), 8080, Leases(), 1000.0)
    decided = answer(decode(sent(identifier)), context)

    assert decided.node == "n001"
    assert decided.reply is not None
    seen = BOOTP(encode(decided.reply))
    assert (seen.yiaddr, seen.htype, seen.hlen) == ("10.77.0.31", 32, 0)
    assert ("client_id", identifier) in seen[DHCP].options
    assert destination(decided.reply)[0] == "255.255.255.255"
    assert seen.file.rstrip(b"\0").endswith(b"/boot/" + STANDS_FOR.hyphenated.encode())


def test_ipxe_without_an_identifier_is_known_by_what_it_made_of_the_guid() -> None:
    context = Context(SITE, catalogue(), IPv4Address("10.77.0.1"), 8080, Leases(), 1000.0)
    decided = answer(decode(sent(b"\x20", chaddr=STANDS_FOR.octets)), context)

    assert decided.reply is not None
    assert str(decided.reply.yiaddr) == "10.77.0.31"


def test_a_device_without_a_guid_and_other_kinds_of_hardware_get_silence() -> None:
    context = Context(SITE, catalogue(), IPv4Address("10.77.0.1"), 8080, Leases(), 1000.0)

    assert answer(decode(sent(b"\x20abc")), context).reply is None
    token_ring = sent(IPXE)[:1] + b"\x06" + sent(IPXE)[2:]
    assert answer(decode(token_ring), context).reply is None


def test_the_ethernet_interface_of_the_same_node_is_another_one() -> None:
    assert SITE.by_mac[STANDS_FOR] is SITE.by_mac[MacAddress(MAC)]
    assert SITE.nodes["n001"].interface_of(MacAddress(MAC)) is SITE.nodes["n001"].interfaces[1]
