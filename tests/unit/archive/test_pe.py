"""Sections that are put into programs of UEFI."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.archive.pe import sections, with_sections
from provisioner.errors import IntegrityError

HEADERS, FILE_ALIGNMENT, ALIGNMENT = 0x400, 0x200, 0x200
OPTIONAL = 0x58
NAMES = (".osrel", ".uname", ".initrd", ".linux")


def program(*, signed: bool = False, headers: int = HEADERS, symbols: bytes = b"") -> bytes:
    """The smallest program: one section, as a linker writes it."""
    head = bytearray(headers)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x40)
    head[0x40:0x44] = b"PE\0\0"
    struct.pack_into("<HHIIIHH", head, 0x44, 0x8664, 1, 0, headers + 0x200 if symbols else 0, 0, 240, 0x206)
    struct.pack_into("<H", head, OPTIONAL, 0x20B)
    struct.pack_into("<II", head, OPTIONAL + 32, ALIGNMENT, FILE_ALIGNMENT)
    struct.pack_into("<III", head, OPTIONAL + 56, 0x2000, headers, 0x1234)
    if signed:
        struct.pack_into("<II", head, OPTIONAL + 144, 0x600, 8)
    place = (5, 0x1000, 0x200, headers, 0, 0, 0, 0, 0x60000020)
    struct.pack_into("<8sIIIIIIHHI", head, OPTIONAL + 240, b".text", *place)
    return bytes(head) + b"hello".ljust(0x200, b"\0") + symbols


@given(st.lists(st.binary(max_size=3000), min_size=4, max_size=4))
def test_what_is_put_in_is_found_again_beside_what_was_there(contents: list[bytes]) -> None:
    added = list(zip(NAMES, contents, strict=True))

    made = with_sections(program(), added)

    assert sections(made) == {".text": b"hello", **dict(added)}
    assert made == with_sections(program(), added)
    assert len(made) % FILE_ALIGNMENT == 0


def test_new_sections_lie_on_pages_of_their_own_and_the_headers_tell_of_them() -> None:
    made = with_sections(program(), [(".initrd", b"i" * 5000), (".linux", b"k")])
    rows = [struct.unpack_from("<8sIIII", made, OPTIONAL + 240 + 40 * number) for number in range(3)]

    assert [(row[0].rstrip(b"\0"), row[2]) for row in rows[1:]] == [(b".initrd", 0x2000), (b".linux", 0x4000)]
    assert struct.unpack_from("<H", made, 0x46) == (3,)
    assert struct.unpack_from("<I", made, OPTIONAL + 56)[0] >= 0x4001
    # Whoever signs computes the checksum.
    assert struct.unpack_from("<I", made, OPTIONAL + 64) == (0,)


def test_symbols_behind_the_sections_are_left_out_so_that_there_is_no_gap() -> None:
    made = with_sections(program(symbols=b"symbols" * 100), [(".linux", b"k")])

    assert b"symbols" not in made
    assert struct.unpack_from("<II", made, 0x4C) == (0, 0)
    assert len(made) == HEADERS + 0x200 + 0x200


def test_a_signed_program_and_one_without_room_are_left_alone() -> None:
    with pytest.raises(IntegrityError, match="is signed"):
        with_sections(program(signed=True), [(".linux", b"k")])
    with pytest.raises(IntegrityError, match="no room for 4 more sections"):
        with_sections(program(headers=0x200), [(name, b"") for name in NAMES])


@given(st.binary(max_size=600), st.integers(0, 1500))
def test_what_is_no_program_is_refused_and_never_a_crash(noise: bytes, cut: int) -> None:
    for content in (noise, program()[:cut], program()[: cut % 0x180] + noise):
        try:
            made = with_sections(content, [(".linux", b"k")])
        except IntegrityError:
            continue
        assert sections(made)[".linux"] == b"k"
