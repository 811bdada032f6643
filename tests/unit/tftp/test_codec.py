from __future__ import annotations

import logging
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tftpy.TftpPacketFactory import TftpPacketFactory

from provisioner.errors import ProtocolError
from provisioner.tftp.codec import HEADER, MAX_REQUEST, acknowledged, blocks, decode, encode
from provisioner.tftp.packet import Acknowledge, Failure, OptionAcknowledge, ReadRequest, WriteRequest


@given(st.binary(max_size=MAX_REQUEST + 2))
@example(b"\x00\x01\xff\x00octet\x00")
@example(b"\x00\x01a\x00octet\x00\xff\x00\x00")
@example(b"\x00\x01a\x00octet\x00tsize\x00")
@example(b"\x00\x01a\x00octet\x00tsize")
@example(b"\x00\x04\x00")
@example(b"\x00\x07\x00\x00")
def test_arbitrary_bytes_raise_nothing_but_a_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        decode(data)


@given(st.sampled_from(range(1, 7)), st.binary(max_size=MAX_REQUEST))
def test_arbitrary_bytes_behind_each_opcode_raise_nothing_but_a_protocol_error(opcode: int, rest: bytes) -> None:
    with suppress(ProtocolError):
        decode(opcode.to_bytes(2, "big") + rest)


def test_a_read_request_is_read_with_its_options_in_lower_case() -> None:
    data = b"\x00\x01/snponly.efi\x00OCTET\x00BLKSIZE\x001468\x00tsize\x000\x00"

    assert decode(data) == ReadRequest("/snponly.efi", "octet", {"blksize": "1468", "tsize": "0"})


def test_a_write_request_and_an_acknowledgement_are_read() -> None:
    assert decode(b"\x00\x02f\x00octet\x00") == WriteRequest("f")
    assert decode(b"\x00\x04\x01\x02") == Acknowledge(258)


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        (b"\x00\x05\x00\x08User aborted\x00", Failure(8, "User aborted")),
        (b"\x00\x05\x00\x00", Failure(0, "")),
        (b"\x00\x05\x00\x01\xff\xfe", Failure(1, "\ufffd\ufffd")),
    ],
)
def test_an_error_packet_is_read_in_silence(
    data: bytes, failure: Failure, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert decode(data) == failure
    assert not caplog.records


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x00\x04\x00", "3 octets"),
        (b"\x00\x01" + b"a" * 511, "513 octets"),
        (b"\x00\x09ab", "Unsupported opcode: 9"),
        (b"\x00\x03\x00\x01data", "TftpPacketDAT is a packet that no reading client sends"),
        (b"\x00\x06tsize\x001\x00", "TftpPacketOACK"),
        (b"\x00\x01a\x00octet\x00tsize\x00", "odd number"),
    ],
)
def test_what_no_client_sends_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        decode(data)


@given(st.binary(max_size=400), st.integers(8, 64), st.integers(1, 8))
def test_tftpy_reads_the_blocks_that_we_send(content: bytes, size: int, window: int) -> None:
    end = len(content) // size + 2
    read = []
    for first in range(1, end, window):
        packets = blocks(memoryview(content), size, range(first, min(first + window, end)))
        for at in range(0, len(packets), size + HEADER):
            theirs = TftpPacketFactory().parse(packets[at : at + size + HEADER])
            read.append((theirs.blocknumber, theirs.data))

    assert [number for number, _ in read] == list(range(1, end))
    assert b"".join(data for _, data in read) == content


def test_the_number_of_a_block_wraps() -> None:
    packets = blocks(memoryview(bytes(8 * 65540)), 8, range(65535, 65538))

    assert [packets[at : at + HEADER] for at in (0, 12, 24)] == [b"\0\3\xff\xff", b"\0\3\0\0", b"\0\3\0\1"]


@given(st.binary(max_size=8) | st.binary(max_size=8).map(lambda rest: b"\x00\x04" + rest))
def test_an_acknowledgement_is_the_same_to_the_short_way_and_to_the_decoder(data: bytes) -> None:
    try:
        packet = decode(data[:HEADER])
    except ProtocolError:
        packet = Failure(0, "")

    assert acknowledged(data) == (packet.block if isinstance(packet, Acknowledge) else None)


def test_tftpy_reads_the_options_that_we_grant() -> None:
    theirs = TftpPacketFactory().parse(encode(OptionAcknowledge({"blksize": "1468", "tsize": "7"})))

    assert theirs.options == {"blksize": "1468", "tsize": "7"}


def test_an_error_says_what_really_happened() -> None:
    assert encode(Failure(1, "there is no file 'x\u00e9'")) == b"\x00\x05\x00\x01there is no file 'x?'\x00"
