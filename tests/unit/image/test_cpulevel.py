"""The level of x86-64 that a program needs, in programs made by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.image.cpulevel import cpu_need, level


def program(*properties: tuple[int, int], machine: int = 62, owner: bytes = b"GNU\0") -> bytes:
    """An ELF program of one segment of notes, in which one note has these properties (type, value)."""
    description = b"".join(struct.pack("<IIII", kind, 4, value, 0) for kind, value in properties)
    note = struct.pack("<III", len(owner), len(description), 5) + owner + description
    header = struct.pack("<6s10xHHIQQQIHHHHHH", b"\x7fELF\x02\x01", 3, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(note), len(note), 8)
    return header + segment + note


NEEDED = 0xC0008002


@pytest.mark.parametrize(("bits", "found"), [(1, 1), (0b11, 2), (0b111, 3), (0b1111, 4), (0b100, 3), (0b11111, 4)])
def test_the_highest_level_that_is_needed_counts(bits: int, found: int) -> None:
    assert level(program((0xC0000002, 3), (NEEDED, bits))) == found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"#!/bin/sh\n",
        b"\x7fELF\x01\x01" + bytes(100),
        program((NEEDED, 3), machine=183),
        program((NEEDED, 3), owner=b"Go\0\0"),
        program((0xC0000002, 3)),
        program((NEEDED, 0)),
        program((NEEDED, 3))[:130],
    ],
)
def test_what_says_nothing_needs_nothing(content: bytes) -> None:
    assert level(content) is None


@given(st.binary(max_size=400), st.integers(0, 300), st.binary(max_size=8))
def test_damage_is_no_level_and_no_crash(tail: bytes, at: int, patch: bytes) -> None:
    whole = program((NEEDED, 3)) + tail
    assert level(whole[:at] + patch + whole[at + len(patch) :]) in {None, 1, 2, 3, 4}


def test_the_library_decides_when_programs_need_less(tmp_path: Path) -> None:
    for path, bits in (("usr/bin/bash", 1), ("usr/lib64/libc.so.6", 0b11)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(program((NEEDED, bits)))
    (tmp_path / "lib64").symlink_to("usr/lib64")

    found = cpu_need(tmp_path)

    assert found is not None
    assert (found.level, found.evidence) == (2, "/lib64/libc.so.6")


def test_a_tree_without_programs_says_nothing(tmp_path: Path) -> None:
    assert cpu_need(tmp_path) is None


def test_a_table_beyond_all_memory_is_no_level() -> None:
    whole = program((NEEDED, 3))

    assert level(whole[:32] + b"\xff" * 8 + whole[40:]) is None
