"""Which processors an image runs on: the level of x86-64 that its C library and loader say they need.

The levels are those of the x86-64 psABI; Enterprise Linux 9 is built for v2, 10 for v3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from provisioner.image import inside
from provisioner.model.inventory import CpuNeed

_LIMIT = 64 << 20
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-x86-64.so.2")
_LIBRARIES = ("/lib64/libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libc.so.6")
_PROGRAMS = ("/usr/bin/bash", "/bin/bash", "/bin/sh", "/usr/bin/busybox", "/bin/busybox")
# elf(5), and the Linux extensions to the gABI for notes.
_MAGIC, _X86_64 = b"\x7fELF\x02\x01", 62
_NOTE_SEGMENT, _PROPERTIES, _NEEDED = 4, 5, 0xC0008002
_HEADER, _SEGMENT, _WORDS = struct.Struct("<16xHHIQQQIHHH"), struct.Struct("<IIQQQQQQ"), struct.Struct("<III")
_MOST_LEVEL = 4


def cpu_need(root: Path) -> CpuNeed | None:
    """The level that the programs of a tree need and which of them says so; None where none says anything."""
    found = [
        (level, path)
        for path in (*_LIBRARIES, *_LOADERS, *_PROGRAMS)
        if (level := _level_of(root, path)) is not None
    ]
    if not found:
        return None
    level, path = max(found, key=lambda each: each[0])
    return CpuNeed(level=level, evidence=path)


def level(content: bytes) -> int | None:
    """The level that a program or library for x86-64 needs, 1 to 4; None where it does not say, or is none."""
    try:
        needs = [bits for note in _notes(content) for bits in _needs(note)]
    except (struct.error, OverflowError):
        return None
    return min(max(bits.bit_length() for bits in needs), _MOST_LEVEL) if any(needs) else None


def _level_of(root: Path, path: str) -> int | None:
    place = inside.follow(root, path)
    content = None if place is None else inside.read_regular(place, limit=_LIMIT)
    return None if content is None else level(content)


def _notes(content: bytes) -> Iterator[bytes]:
    """What the property notes of a program say: the descriptions of notes of this kind, by GNU."""
    if not content.startswith(_MAGIC):
        return
    _, machine, _, _, start, _, _, _, size, count = _HEADER.unpack_from(content)
    if machine != _X86_64 or size != _SEGMENT.size:
        return
    for number in range(count):
        kind, _, offset, _, _, length, _, align = _SEGMENT.unpack_from(content, start + number * size)
        if kind == _NOTE_SEGMENT and align == 8:
            yield from _descriptions(content[offset : offset + length])


def _descriptions(notes: bytes) -> Iterator[bytes]:
    at = 0
    while at + _WORDS.size <= len(notes):
        name_size, size, kind = _WORDS.unpack_from(notes, at)
        name = at + _WORDS.size
        start = name + -(-name_size // 4) * 4
        if kind == _PROPERTIES and notes[name : name + name_size] == b"GNU\0":
            yield notes[start : start + size]
        at = start + -(-size // 8) * 8


def _needs(description: bytes) -> Iterator[int]:
    """The bits of what is needed: one for each level."""
    at = 0
    while at + 8 <= len(description):
        kind, size = struct.unpack_from("<II", description, at)
        if kind == _NEEDED and size == 4:
            yield struct.unpack_from("<I", description, at + 8)[0]
        at += 8 + -(-size // 8) * 8
