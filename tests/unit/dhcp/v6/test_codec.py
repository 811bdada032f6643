from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.dhcp6 import (
    DUID_LLT,
    USER_CLASS_DATA,
    VENDOR_CLASS_DATA,
    DHCP6_RelayForward,
    DHCP6_Solicit,
    DHCP6OptBootFileUrl,
    DHCP6OptClientArchType,
    DHCP6OptClientId,
    DHCP6OptClientLinkLayerAddr,
    DHCP6OptDNSDomains,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptIfaceId,
    DHCP6OptRelayMsg,
    DHCP6OptStatusCode,
    DHCP6OptUserClass,
    DHCP6OptVendorClass,
)

from provisioner.dhcp.v6.codec import (
    MAX_RELAYS,
    MAX_SIZE,
    decode,
    domains,
    encode,
    texts,
    vendor_class,
    vendor_classes,
)
from provisioner.dhcp.v6.message import Association, Kind, Lent, Message, Option, Packet, Relay, Status
from provisioner.errors import ProtocolError
from tests.support.packets import MAC
from tests.support.packets6 import packets, scapy_view

_ADDRESS = st.integers(0, 2**128 - 1).map(IPv6Address)
_NUMBER = st.integers(0, 2**32 - 1)


@given(packets())
def test_decoding_what_was_encoded_gives_the_same_packet(packet: Packet) -> None:
    assert decode(encode(packet)) == packet


@given(st.binary(max_size=200))
@example(b"\x0c")
@example(b"\x01\0\0\0\0\x03\0\x04\0\0\0\0")
def test_arbitrary_bytes_raise_nothing_but_a_protocol_error(data: bytes) -> None:
    for head in (b"", b"\x01\0\0\0", b"\x01\0\0\0\0\x03\xff\xff", bytes((12, 0)) + bytes(32) + b"\0\x09"):
        with suppress(ProtocolError):
            decode(head + data)


@given(packets(), st.integers(0, 300), st.binary(min_size=1, max_size=4))
def test_a_packet_that_was_damaged_raises_nothing_but_a_protocol_error(
    packet: Packet, at: int, damage: bytes
) -> None:
    data = encode(packet)
    with suppress(ProtocolError):
        decode(data[:at] + damage + data[at + len(damage) :])


@given(_NUMBER, st.lists(st.tuples(_ADDRESS, _NUMBER, _NUMBER), max_size=3), st.integers(0, 2**24 - 1))
def test_what_scapy_builds_is_what_we_read(
    iaid: int, lent: list[tuple[IPv6Address, int, int]], number: int
) -> None:
    inside = [DHCP6OptIAAddress(addr=str(each), preflft=one, validlft=two) for each, one, two in lent]
    theirs = (
        DHCP6_Solicit(trid=number)
        / DHCP6OptClientId(duid=DUID_LLT(lladdr=MAC, timeval=7))
        / DHCP6OptIA_NA(iaid=iaid, T1=1, T2=2, ianaopts=inside)
        / DHCP6OptUserClass(userclassdata=[USER_CLASS_DATA(data=b"iPXE")])
        / DHCP6OptVendorClass(enterprisenum=343, vcdata=[VENDOR_CLASS_DATA(data=b"HTTPClient")])
        / DHCP6OptClientArchType(archtypes=[7, 16])
    )

    message = decode(bytes(theirs)).message

    assert (message.kind, message.transaction) == (Kind.SOLICIT, number)
    assert message.associations == (Association(iaid, 1, 2, tuple(Lent(*each) for each in lent)),)
    assert texts(message.option(Option.USER_CLASS) or b"") == (b"iPXE",)
    assert vendor_classes(message.option(Option.VENDOR_CLASS) or b"") == (b"HTTPClient",)
    assert message.option(Option.ARCHITECTURE) == b"\0\x07\0\x10"
    assert message.option(Option.CLIENT) == bytes(DUID_LLT(lladdr=MAC, timeval=7))


def test_what_scapy_relays_is_read_from_the_outside_in() -> None:
    inner = (
        DHCP6_RelayForward(hopcount=0, linkaddr="fd77::2", peeraddr="fe80::10")
        / DHCP6OptClientLinkLayerAddr(clladdr=MAC)
        / DHCP6OptIfaceId(ifaceid=b"ge0")
        / DHCP6OptRelayMsg(message=DHCP6_Solicit(trid=9))
    )
    outer = DHCP6_RelayForward(hopcount=1, linkaddr="fd99::2", peeraddr="fd99::3") / DHCP6OptRelayMsg(
        message=inner
    )

    packet = decode(bytes(outer))

    assert [(relay.hops, str(relay.link), str(relay.peer)) for relay in packet.relays] == [
        (1, "fd99::2", "fd99::3"),
        (0, "fd77::2", "fe80::10"),
    ]
    link_address = b"\0\x01" + bytes.fromhex(MAC.replace(":", ""))
    assert packet.relays[1].options == ((Option.LINK_ADDRESS, link_address), (Option.INTERFACE, b"ge0"))
    assert packet.message == Message(Kind.SOLICIT, 9)


@given(st.lists(st.tuples(_ADDRESS, _NUMBER, _NUMBER), max_size=2), st.integers(0, 2**24 - 1))
def test_scapy_reads_what_we_encode(lent: list[tuple[IPv6Address, int, int]], number: int) -> None:
    association = Association(7, 100, 200, tuple(Lent(*each) for each in lent), Status(2, "none"))
    options = (
        (Option.BOOT_FILE_URL, b"tftp://[fd77::1]/snponly.efi"),
        (Option.DOMAINS, domains(["cluster.local", "b.example"])),
        (Option.VENDOR_CLASS, vendor_class(343, b"HTTPClient")),
    )

    view = scapy_view(encode(Packet(Message(Kind.REPLY, number, (association,), Status(0, "fine"), options))))

    assert (view["kind"], view["number"]) == (7, number)
    ours = view["DHCP6OptIA_NA"]
    assert (ours.iaid, ours.T1, ours.T2) == (7, 100, 200)
    assert [(IPv6Address(each.addr), each.preflft, each.validlft) for each in ours.ianaopts[:-1]] == lent
    assert (ours.ianaopts[-1].statuscode, ours.ianaopts[-1].statusmsg) == (2, b"none")
    assert view[DHCP6OptBootFileUrl.__name__].optdata == b"tftp://[fd77::1]/snponly.efi"
    assert view[DHCP6OptDNSDomains.__name__].dnsdomains == ["cluster.local.", "b.example."]
    assert view[DHCP6OptVendorClass.__name__].vcdata[0].data == b"HTTPClient"
    assert view[DHCP6OptStatusCode.__name__].statusmsg == b"fine"


def test_relays_may_nest_eight_deep_and_no_deeper() -> None:
    relay = Relay(0, IPv6Address("::"), IPv6Address("::"))
    message = Message(Kind.SOLICIT, 1)

    assert len(decode(encode(Packet(message, (relay,) * MAX_RELAYS))).relays) == MAX_RELAYS == 8
    with pytest.raises(ProtocolError, match="more than 8 relays"):
        decode(encode(Packet(message, (relay,) * 9)))


def test_a_datagram_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(ProtocolError, match="at most 4096"):
        decode(b"\x01" * (MAX_SIZE + 1))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\x01\0", "at least 4"),
        (b"\x0c\0", "at least 34"),
        (bytes((12, 0)) + bytes(32), "0 messages"),
        (b"\x01\0\0\0\0\x01\0", "too few for an option"),
        (b"\x01\0\0\0\0\x01\0\x05ab", "3 more than there are"),
        (b"\x01\0\0\0\0\x03\0\x02ab", "an IA_NA of 2"),
        (b"\x01\0\0\0\0\x0d\0\x01a", "a status of 1"),
    ],
    ids=["short", "short relay", "empty relay", "half an option", "cut option", "short IA", "short status"],
)
def test_what_makes_no_sense_is_said(data: bytes, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode(data)
