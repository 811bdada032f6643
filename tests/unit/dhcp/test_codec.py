from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from provisioner.dhcp.codec import MAX_SIZE, decode, encode
from provisioner.dhcp.message import Kind, Message, Op, Option
from provisioner.errors import ProtocolError
from tests.support.golden import Golden
from tests.support.packets import CLIENTS, IPXE_BIOS, MAC, Firmware

_CODES = st.integers(1, 254).filter(lambda code: code != Option.OVERLOAD)
_TEXT = st.binary(max_size=64).map(lambda value: value.replace(b"\0", b"x"))
_ADDRESS = st.integers(0, 2**32 - 1).map(IPv4Address)


def messages() -> st.SearchStrategy[Message]:
    return st.builds(
        Message,
        op=st.sampled_from(Op),
        xid=st.integers(0, 2**32 - 1),
        chaddr=st.binary(max_size=16),
        htype=st.integers(0, 255),
        hops=st.integers(0, 255),
        secs=st.integers(0, 65535),
        flags=st.integers(0, 65535),
        ciaddr=_ADDRESS,
        yiaddr=_ADDRESS,
        siaddr=_ADDRESS,
        giaddr=_ADDRESS,
        sname=_TEXT,
        file=_TEXT,
        options=st.dictionaries(_CODES, st.binary(max_size=300), max_size=3),
    )


def with_options(options: bytes, *, file: bytes = b"", sname: bytes = b"") -> bytes:
    base = IPXE_BIOS.datagram(1)
    return base[:44] + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + base[236:240] + options


@given(messages())
def test_decoding_what_was_encoded_gives_the_same_message(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=MAX_SIZE + 10))
def test_arbitrary_bytes_raise_nothing_but_a_protocol_error(data: bytes) -> None:
    expect_message_or_protocol_error(data)


@given(st.binary(max_size=200), st.binary(max_size=128), st.binary(max_size=64))
def test_arbitrary_options_raise_nothing_but_a_protocol_error(options: bytes, file: bytes, sname: bytes) -> None:
    expect_message_or_protocol_error(with_options(b"\x34\x01\x03" + options, file=file, sname=sname))


def expect_message_or_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        assert Option.OVERLOAD not in decode(data).options


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_real_clients_read_as_their_golden_files_say(client: Firmware, golden: Golden) -> None:
    message = decode(client.datagram(Kind.DISCOVER))

    lines = [f"chaddr {message.chaddr.hex(':')}", f"flags {message.flags:#06x}", f"kind {message.kind!r}"]
    lines += [f"option {int(code)} {value.hex()}" for code, value in message.options.items()]
    golden(f"dhcp/{client.name}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_scapy_reads_back_what_we_encode_from_a_real_client(client: Firmware) -> None:
    message = decode(client.datagram(Kind.REQUEST))

    theirs = BOOTP(encode(message))

    assert (theirs.op, theirs.xid, int(theirs.flags)) == (message.op, message.xid, message.flags)
    assert theirs.chaddr[:6] == message.chaddr
    assert ("message-type", 3) in theirs[DHCP].options


def test_we_read_what_scapy_encodes() -> None:
    options = [("message-type", "request"), ("requested_addr", "10.77.0.9"), ("hostname", b"n9"), "end"]
    theirs = BOOTP(op=1, xid=7, chaddr=bytes.fromhex(MAC.replace(":", "")), giaddr="10.0.0.1", file=b"f") / DHCP(
        options=options
    )

    ours = decode(bytes(theirs))

    assert (ours.kind, ours.xid, ours.giaddr, ours.file) == (Kind.REQUEST, 7, IPv4Address("10.0.0.1"), b"f")
    assert ours.address(Option.REQUESTED_ADDRESS) == IPv4Address("10.77.0.9")
    assert ours.options[Option.HOST_NAME] == b"n9"


def test_a_value_longer_than_255_octets_is_sent_in_pieces_and_joined_again() -> None:
    message = Message(Op.REPLY, 1, bytes(6), options={43: bytes(range(256)) * 2})

    data = encode(message)

    assert data[240:242] == b"\x2b\xff"
    assert decode(data).options[43] == bytes(range(256)) * 2


def test_overloaded_fields_continue_the_options_file_first() -> None:
    data = with_options(b"\x34\x01\x03\x0c\x01a\xff", file=b"\x0c\x01b\xff", sname=b"\x0c\x01c\xff")

    message = decode(data)

    assert message.options == {Option.HOST_NAME: b"abc"}
    assert (message.file, message.sname) == (b"", b"")


def test_a_short_message_is_padded_for_old_relays() -> None:
    assert len(encode(Message(Op.REPLY, 1, bytes(6)))) == 300


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "0 octets"),
        (bytes(MAX_SIZE + 1), "1501 octets"),
        (b"\x03" + with_options(b"")[1:], "octet 0"),
        (b"\x01\x01\x11" + with_options(b"")[3:], "octet 2"),
        (with_options(b"")[:236] + bytes(4), "octet 236"),
        (with_options(b"\x0c"), "octet 240: option 12 has no length"),
        (with_options(b"\x00\x0c\x05ab"), "octet 241: option 12 ends at 248"),
        (with_options(b"\x34\x01\x04"), "option 52"),
        (with_options(b"\x34\x01\x01", file=b"\x0c\xff"), "octet 108: option 12 ends at 365"),
    ],
)
def test_a_malformed_message_is_refused_with_the_place(data: bytes, where: str) -> None:
    with pytest.raises(ProtocolError, match=where):
        decode(data)


@pytest.mark.parametrize(
    "message",
    [
        Message(Op.REPLY, 1, bytes(17)),
        Message(Op.REPLY, 1, bytes(6), file=b"a\0b"),
        Message(Op.REPLY, 1, bytes(6), sname=b"x" * 65),
        Message(Op.REPLY, 1, bytes(6), options={255: b""}),
        Message(Op.REPLY, 1, bytes(6), options={43: bytes(1400)}),
    ],
)
def test_what_the_format_cannot_hold_is_not_encoded(message: Message) -> None:
    with pytest.raises(ValueError, match=r"fit|ends it|not the code|are sent"):
        encode(message)
