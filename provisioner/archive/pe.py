"""Programs of UEFI with more in them: sections put behind those that a program has.

Source: PE Format (Microsoft), "COFF File Header", "Optional Header" and "Section Table". What firmware verifies is
all of a file but its checksum and its signatures, so what is put in is signed with it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from provisioner.errors import IntegrityError

_PE, _PE32_PLUS = b"PE\0\0", 0x20B
# Initialised data that may be read.
_DATA = 0x4000_0040
_SECTION = struct.Struct("<8sIIIIIIHHI")
_COFF_SIZE = 20
# In the optional header: size of the data, alignments, size in memory, size of all headers, checksum, signatures.
_DATA_SIZE, _ALIGNMENTS, _IMAGE_SIZE, _HEADERS, _CHECKSUM, _SIGNATURES = 8, 32, 56, 60, 64, 144
# Firmware may protect memory by pages.
_PAGE = 0x1000
_LIMIT = 1 << 31
# Of an alignment.
_LARGEST = 1 << 16


class _Row(NamedTuple):
    """One section: its size and place in memory, and in the file."""

    name: bytes
    size: int
    address: int
    raw: int
    place: int


class _Layout(NamedTuple):
    """Where the parts of a program lie, in octets from its start, and its sections."""

    coff: int
    optional: int
    table: int
    rows: tuple[_Row, ...]


def with_sections(program: bytes, added: Sequence[tuple[str, bytes]]) -> bytes:
    """A PE32+ program with further sections, in this order, at the next pages of its memory.

    The same input gives the same octets. IntegrityError for what is no such program, for one that is signed, and
    where there is no room: in its headers, or for more than 2 GiB.
    """
    layout = _read(program)
    alignment, file_alignment, room = _bounds(program, layout)
    if len(added) > room or sum(len(content) for _, content in added) >= _LIMIT:
        raise IntegrityError(f"the program has no room for {len(added)} more sections")
    # Symbols that follow the sections would be a gap, over which those who verify compute different digests.
    end = max(each.place + each.raw for each in layout.rows)
    head = bytearray(program[:end]) + bytes(-end % file_alignment)
    address = max(_up(each.address + max(each.size, each.raw), _PAGE) for each in layout.rows)
    at, place, parts = layout.table + _SECTION.size * len(layout.rows), len(head), []
    for name, content in added:
        raw = content + bytes(-len(content) % file_alignment)
        _SECTION.pack_into(
            head, at, name.encode("ascii"), len(content), address, len(raw), place, 0, 0, 0, 0, _DATA
        )
        parts.append(raw)
        at, place, address = at + _SECTION.size, place + len(raw), _up(address + len(raw), _PAGE)
    struct.pack_into("<H", head, layout.coff + 2, len(layout.rows) + len(added))
    struct.pack_into("<II", head, layout.coff + 8, 0, 0)
    _add(head, layout.optional + _DATA_SIZE, sum(map(len, parts)))
    struct.pack_into("<I", head, layout.optional + _IMAGE_SIZE, _up(address, alignment))
    struct.pack_into("<I", head, layout.optional + _CHECKSUM, 0)
    return b"".join((bytes(head), *parts))


def sections(program: bytes) -> dict[str, bytes]:
    """What the sections of a program hold, by their names. IntegrityError for what is no PE32+ program."""
    return {
        each.name.rstrip(b"\0").decode("ascii", "replace"): program[each.place : each.place + each.size]
        for each in _read(program).rows
    }


def _bounds(program: bytes, layout: _Layout) -> tuple[int, int, int]:
    """How a program is aligned in memory and in its file, and for how many sections its headers have room."""
    alignment, file_alignment = struct.unpack_from("<II", program, layout.optional + _ALIGNMENTS)
    (headers,) = struct.unpack_from("<I", program, layout.optional + _HEADERS)
    if any(program[layout.optional + _SIGNATURES : layout.optional + _SIGNATURES + 8]):
        raise IntegrityError("the program is signed, and what is put into it would break that")
    if not 0 < alignment <= _LARGEST or not 0 < file_alignment <= _LARGEST:
        raise _none()
    end = min([headers, *(each.place for each in layout.rows if each.raw)])
    return alignment, file_alignment, (end - layout.table) // _SECTION.size - len(layout.rows)


def _read(program: bytes) -> _Layout:
    try:
        (start,) = struct.unpack_from("<I", program, 0x3C)
        coff, optional = start + len(_PE), start + len(_PE) + _COFF_SIZE
        (count,) = struct.unpack_from("<H", program, coff + 2)
        (length,) = struct.unpack_from("<H", program, coff + 16)
        (magic,) = struct.unpack_from("<H", program, optional)
        table = optional + length
        found = (_SECTION.unpack_from(program, table + _SECTION.size * each) for each in range(count))
        rows = tuple(_Row(*each[:5]) for each in found)
    except struct.error:
        raise _none() from None
    # Its headers lie before the table, which was read: they are all there.
    if program[start:coff] != _PE or magic != _PE32_PLUS or length < _SIGNATURES + 8 or not rows:
        raise _none()
    if any(each.place + each.raw > len(program) or each.address + each.size >= _LIMIT for each in rows):
        raise _none()
    return _Layout(coff, optional, table, rows)


def _none() -> IntegrityError:
    return IntegrityError("this is no program of UEFI")


def _add(head: bytearray, at: int, number: int) -> None:
    (before,) = struct.unpack_from("<I", head, at)
    struct.pack_into("<I", head, at, before + number)


def _up(number: int, step: int) -> int:
    return -(-number // step) * step
