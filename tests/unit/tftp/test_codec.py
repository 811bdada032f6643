from __future__ import annotations

import logging
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tftpy.TftpPacketFactory import TftpPacketFactory

from provisioner.errors import ProtocolError
from provisioner.tftp.codec import MAX_REQUEST, decode, encode
from provisioner.tftp.packet import Acknowledge, Data, Failure, OptionAcknowledge, ReadRequest, WriteRequest


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


@given(st.integers(0, 65535), st.binary(max_size=1468))
def test_tftpy_reads_the_blocks_that_we_send(block: int, content: bytes) -> None:
    theirs = TftpPacketFactory().parse(encode(Data(block, content)))

    assert (theirs.blocknumber, theirs.data) == (block, content)


def test_tftpy_reads_the_options_that_we_grant() -> None:
    theirs = TftpPacketFactory().parse(encode(OptionAcknowledge({"blksize": "1468", "tsize": "7"})))

    assert theirs.options == {"blksize": "1468", "tsize": "7"}


def test_an_error_says_what_really_happened() -> None:
    assert encode(Failure(1, "there is no file 'x\u00e9'")) == b"\x00\x05\x00\x01there is no file 'x?'\x00"
