"""Berkeley DB files. `tests/integration/image/test_rpm.py` reads one that Berkeley DB made."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError
from provisioner.image.bdb import values

SIZE = 512
LONG = bytes(range(256)) * 4


def meta(last: int, *, order: str = "<", magic: int = 0x061561, size: int = SIZE) -> bytes:
    head = struct.pack(f"{order}8xIIII4xII", 0, magic, 9, size, 0, last)
    return head.ljust(SIZE, b"\0")


def page(kind: int, *, entries: int = 0, used: int = 0, following: int = 0, order: str = "<") -> bytes:
    return struct.pack(f"{order}8xIIIHHBB", 0, 0, following, entries, used, 0, kind)


def hash_page(items: Sequence[bytes], *, order: str = "<") -> bytes:
    body, offsets = b"", []
    for item in items:
        body = item + body
        offsets.append(SIZE - len(body))
    head = page(13, entries=len(items), order=order) + struct.pack(f"{order}{len(items)}H", *offsets)
    return head.ljust(SIZE - len(body), b"\0") + body


def overflow(content: bytes, *, first: int, order: str = "<") -> list[bytes]:
    room = SIZE - 26
    parts = [content[start : start + room] for start in range(0, len(content), room)]
    nexts = [*range(first + 1, first + len(parts)), 0]
    return [
        (page(7, entries=1, used=len(part), following=number, order=order) + part).ljust(SIZE, b"\0")
        for part, number in zip(parts, nexts, strict=True)
    ]


def database(*, order: str = "<") -> bytes:
    far = b"\x03\0\0\0" + struct.pack(f"{order}II", 2, len(LONG))
    pages = [hash_page([b"\x01key1", b"\x01value", b"\x01key2", far], order=order)]
    pages += overflow(LONG, first=2, order=order)
    return meta(len(pages), order=order) + b"".join(pages)


def read(content: bytes) -> list[bytes]:
    return list(values(io.BytesIO(content)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_values_come_from_their_page_or_from_a_chain_of_others(order: str) -> None:
    assert read(database(order=order)) == [b"value", LONG]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * SIZE,
        meta(0, size=1000),
        meta(5),
        meta(1) + page(13, entries=60_000).ljust(SIZE, b"\0"),
        meta(1) + hash_page([b"\x01k", b"\x03\0\0\0" + struct.pack("<II", 1, 10)]),
        meta(1) + hash_page([b"\x01k", b"\x03\0\0\0" + struct.pack("<II", 1, 0xFFFFFFFF)]),
        meta(1) + hash_page([b"\x01k", b"\x03\0\0\0"]),
    ],
    ids=["empty", "zeros", "odd size", "pages missing", "many items", "no chain", "too long", "cut"],
)
def test_a_file_that_lies_is_refused(content: bytes) -> None:
    with pytest.raises(IntegrityError, match="Berkeley DB"):
        read(content)


def test_a_chain_that_never_ends_is_left() -> None:
    far = b"\x03\0\0\0" + struct.pack("<II", 2, 1 << 20)
    circle = overflow(LONG[:100], first=2)[0]
    looped = circle[:16] + struct.pack("<I", 2) + circle[20:]

    with pytest.raises(IntegrityError, match="in a circle"):
        read(meta(2) + hash_page([b"\x01key", far]) + looped)


@given(st.data())
def test_a_file_with_any_bytes_changed_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(database())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    with suppress(IntegrityError):
        read(bytes(content))
