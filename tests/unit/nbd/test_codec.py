from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ProtocolError
from provisioner.nbd import codec
from provisioner.nbd.message import Fault, OptionHeader, Reply, Request, Wish

u16, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64))


def test_the_server_greets_as_fixed_newstyle_without_zeroes() -> None:
    assert codec.greeting() == b"NBDMAGIC" + b"IHAVEOPT" + b"\0\x03"


@pytest.mark.parametrize(("flags", "padded"), [(1, True), (3, False)])
def test_a_client_says_whether_it_wants_the_zeros(flags: int, *, padded: bool) -> None:
    assert codec.wants_padding(struct.pack(">L", flags)) is padded


@given(u32)
def test_flags_that_were_not_offered_are_refused(flags: int) -> None:
    data = struct.pack(">L", flags)
    if flags in (1, 3):
        codec.wants_padding(data)
    else:
        with pytest.raises(ProtocolError):
            codec.wants_padding(data)


@given(u32, u32)
def test_the_header_of_an_option_is_read(option: int, length: int) -> None:
    data = b"IHAVEOPT" + struct.pack(">LL", option, length)

    assert codec.option_header(data) == OptionHeader(option, length)


@given(st.binary(min_size=16, max_size=16))
def test_what_is_no_option_is_refused(data: bytes) -> None:
    if not data.startswith(b"IHAVEOPT"):
        with pytest.raises(ProtocolError):
            codec.option_header(data)


@given(st.text(max_size=64), st.lists(u16, max_size=8))
def test_a_wish_is_read(name: str, kinds: list[int]) -> None:
    text = name.encode("utf-8", "replace")
    data = struct.pack(f">L{len(text)}sH{len(kinds)}H", len(text), text, len(kinds), *kinds)

    assert codec.wish(data) == Wish(text.decode(), tuple(kinds))


@given(st.binary(max_size=64))
def test_a_wish_of_any_bytes_is_read_or_refused(data: bytes) -> None:
    with suppress(ProtocolError):
        found = codec.wish(data)
        assert len(found.kinds) * 2 + 6 <= len(data)


@given(u16, u16, u64, u64, u32)
def test_a_request_is_read(flags: int, command: int, cookie: int, offset: int, length: int) -> None:
    data = struct.pack(">LHHQQL", 0x25609513, flags, command, cookie, offset, length)

    assert codec.request(data) == Request(command, flags, cookie, offset, length)


def test_what_is_no_request_is_refused() -> None:
    with pytest.raises(ProtocolError):
        codec.request(bytes(codec.REQUEST_SIZE))


def test_the_reply_to_a_request_names_it_and_the_fault() -> None:
    assert codec.simple_reply(7, Fault.INVALID) == struct.pack(">LLQ", 0x67446698, 22, 7)


def test_an_export_is_told_with_its_size_its_blocks_and_that_it_is_read_only() -> None:
    reply = codec.export_reply(7, 1 << 40, block=4096, preferred=1 << 17, most=1 << 25)

    export = struct.pack(">QLLLHQH", 0x3E889045565A9, 7, 3, 12, 0, 1 << 40, 3)
    blocks = struct.pack(">QLLLHLLL", 0x3E889045565A9, 7, 3, 14, 3, 4096, 1 << 17, 1 << 25)
    assert reply == export + blocks + codec.option_reply(7, Reply.ACK)


@pytest.mark.parametrize(("padded", "size"), [(True, 134), (False, 10)])
def test_an_export_that_is_chosen_by_its_name_alone_is_told_with_or_without_zeros(
    size: int, *, padded: bool
) -> None:
    reply = codec.export_name_reply(4096, padded=padded)

    assert reply == struct.pack(">QH", 4096, 3) + bytes(size - 10)
