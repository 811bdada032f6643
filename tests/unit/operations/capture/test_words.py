"""One line a packet, from frames that scapy made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.tftp import TFTP, TFTP_ERROR, TFTP_RRQ
from scapy.packet import Packet as ScapyPacket
from scapy.packet import Raw

from provisioner.model.address import MacAddress
from provisioner.model.written import Ports
from provisioner.operations.capture.frame import Protocol, parse
from provisioner.operations.capture.judges import judges_of
from provisioner.operations.capture.words import Reader, Said
from tests.support import resolved

MAC = MacAddress(resolved.MAC1)
ETHER = Ether(src=MAC, dst="52:54:00:ff:00:01")
NODE, HEAD = "10.0.1.1", "10.0.0.1"


@pytest.fixture
def reader() -> Reader:
    """A reader with the policies of a site that has n001."""
    snapshot = resolved.snapshot()
    head = next(iter(snapshot.site.networks.values())).head
    return Reader(Ports(), judges_of(snapshot, resolved.catalogue(), head, {"undionly.kpxe": bytes(70_000)}))


def said(reader: Reader, frame: ScapyPacket) -> Said | None:
    packet = parse(bytes(frame))
    return reader.read(packet) if packet else None


def discover(mac: MacAddress) -> ScapyPacket:
    bootp = BOOTP(chaddr=mac.octets, xid=7)
    return (
        Ether(src=mac, dst="ff:ff:ff:ff:ff:ff")
        / IP(src="0.0.0.0", dst="255.255.255.255")
        / UDP(sport=68, dport=67)
        / bootp
        / DHCP(options=[("message-type", "discover"), "end"])
    )


def udp(payload: ScapyPacket, sport: int, dport: int) -> ScapyPacket:
    return ETHER / IP(src=NODE, dst=HEAD) / UDP(sport=sport, dport=dport) / payload


def tcp(payload: bytes, sport: int, dport: int) -> ScapyPacket:
    return ETHER / IP(src=NODE, dst=HEAD) / TCP(sport=sport, dport=dport) / payload


def test_a_discover_of_a_node_is_answered_by_the_policy_with_its_reason(reader: Reader) -> None:
    line = said(reader, discover(MAC))

    assert line is not None
    assert (line.service, line.text.split()[0]) == ("dhcp", "DISCOVER")
    assert line.policy.startswith(f"offer: {NODE}")
    assert "n001 boots debian-12@1" in line.policy


def test_of_a_stranger_the_policy_says_that_it_is_no_node(reader: Reader) -> None:
    line = said(reader, discover(MacAddress("02:00:00:00:00:99")))

    assert line is not None
    assert "no node has" in line.policy


def test_an_offer_tells_address_server_and_file(reader: Reader) -> None:
    bootp = BOOTP(op=2, yiaddr=NODE, siaddr=HEAD, file=b"undionly.kpxe", chaddr=MAC.octets)
    options = DHCP(options=[("message-type", "offer"), ("server_id", HEAD), "end"])
    line = said(reader, ETHER / IP() / UDP(sport=67, dport=68) / bootp / options)

    assert line == Said("dhcp", f"OFFER {NODE} from {HEAD} next server {HEAD} file undionly.kpxe")


def test_a_loader_is_asked_for_by_tftp_and_its_blocks_are_not_told(reader: Reader) -> None:
    request = TFTP(op=1) / TFTP_RRQ(filename="undionly.kpxe", mode="octet")

    assert said(reader, udp(request, 2070, 69)) == Said("tftp", "wants undionly.kpxe", "served: 70000 bytes")
    assert said(reader, udp(Raw(b"\0\3\0\1" + b"x" * 512), 40_000, 2070)) is None
    failure = TFTP(op=5) / TFTP_ERROR(errorcode=0, errormsg="TFTP Aborted")
    assert said(reader, udp(failure, 2070, 40_000)) == Said("tftp", "error 0: TFTP Aborted")


def test_a_name_that_is_not_served_is_refused(reader: Reader) -> None:
    request = TFTP(op=1) / TFTP_RRQ(filename="pxelinux.0", mode="octet")
    line = said(reader, udp(request, 2070, 69))

    assert line is not None
    assert line.policy == "refused: no file has this name"


def test_a_script_is_asked_for_by_http_and_the_policy_tells_what_the_machine_boots(reader: Reader) -> None:
    line = said(reader, tcp(f"GET /boot/{MAC.hyphenated} HTTP/1.1\r\nHost: h\r\n\r\n".encode(), 5000, 8080))

    assert line is not None
    assert line.text == f"GET /boot/{MAC.hyphenated}"
    assert line.policy.startswith("n001 boots debian-12@1")


def test_tokens_are_not_told_and_a_refusal_is_told_with_its_reason(reader: Reader) -> None:
    asked = said(reader, tcp(b"GET /t/secret/root HTTP/1.1\r\nRange: bytes=5-\r\n\r\n", 5000, 8080))
    refused = said(
        reader, tcp(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 22\r\n\r\nrefused: wrong stage\n", 8080, 5000)
    )

    assert asked == Said("http", "GET /t/.../root Range: bytes=5-")
    assert refused == Said("http", "403 Forbidden, 22 bytes: refused: wrong stage")
    assert said(reader, tcp(b"\x1f\x8b\x08 more of an image", 8080, 5000)) is None


def test_a_name_is_asked_for_by_dns(reader: Reader) -> None:
    query = DNS(id=255, qd=DNSQR(qname="n002.cluster.local", qtype="AAAA"))

    assert said(reader, udp(query, 5353, 53)) == Said("dns", "query 00ff: AAAA n002.cluster.local")
    assert said(reader, udp(DNS(id=255, qr=1, rcode=3), 53, 5353)) == Said(
        "dns", "reply 00ff: nxdomain, 0 answers"
    )


def test_a_segment_over_ipv6_is_read_too_and_arp_is_none() -> None:
    frame = ETHER / IPv6(src="fd00::1", dst="fd00::2") / TCP(sport=8080, dport=9) / b"hello"
    packet = parse(bytes(frame))

    assert packet is not None
    assert (packet.protocol, packet.payload, packet.length) == (Protocol.TCP, b"hello", len(frame))
    assert parse(bytes(ETHER / ARP())) is None


def test_the_padding_of_a_short_frame_is_no_payload() -> None:
    frame = bytes(ETHER / IP() / TCP()) + bytes(20)
    packet = parse(frame)

    assert packet is not None
    assert (packet.payload, packet.length) == (b"", len(frame) - 20)


def test_an_answer_that_is_sent_to_us_is_read_without_a_policy(reader: Reader) -> None:
    answer = said(reader, tcp(b"HTTP/1.1", 40000, 8080))

    assert answer is not None
    assert not answer.policy


@given(st.binary(max_size=400), st.sampled_from([(67, 68), (69, 2000), (53, 999), (8080, 9)]), st.booleans())
def test_whatever_comes_a_packet_is_read_or_left(payload: bytes, ports: tuple[int, int], is_tcp: bool) -> None:
    snapshot = resolved.snapshot()
    head = next(iter(snapshot.site.networks.values())).head
    reader = Reader(Ports(), judges_of(snapshot, resolved.catalogue(), head, {}))
    carrier = TCP(sport=ports[1], dport=ports[0]) if is_tcp else UDP(sport=ports[1], dport=ports[0])
    packet = parse(bytes(ETHER / IP(src=NODE, dst=HEAD) / carrier / payload))

    assert packet is not None
    assert packet.payload == payload
    reader.read(packet)


@given(st.binary(max_size=200))
def test_whatever_comes_a_frame_is_parsed_or_not(frame: bytes) -> None:
    packet = parse(frame)

    assert packet is None or len(packet.payload) <= len(frame)
