from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.image import libraries
from provisioner.image.libraries import Dynamic


def program(*needed: str, interpreter: str = "", runpath: str = "", machine: int = 183) -> bytes:
    """A 64-bit program that loads these libraries, and has nothing to run."""
    strings = b"\0"
    entries = []
    for tag, text in [*((1, name) for name in needed), *([(29, runpath)] if runpath else [])]:
        entries.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    start = 64 + 3 * 56
    interp = interpreter.encode() + b"\0"
    table_at = start + len(interp) + len(strings)
    entries += [(5, 0x10000 + start + len(interp)), (0, 0)]
    table = b"".join(struct.pack("<QQ", *each) for each in entries)
    size = table_at + len(table)
    segments = [
        (1, 0, 0x10000, size),
        (3 if interpreter else 0, start, 0, len(interp)),
        (2, table_at, 0, len(table)),
    ]
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 3, 0, 0, 0)
    told = b"".join(struct.pack("<IIQQQQQQ", kind, 0, at, base, 0, n, n, 8) for kind, at, base, n in segments)
    return head + told + interp + strings + table


def put(root: Path, path: str, content: bytes) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def test_a_program_says_its_interpreter_libraries_and_folders() -> None:
    content = program("libc.so.6", "libm.so.6", interpreter="/lib/ld.so", runpath="$ORIGIN/../x:/opt/lib")

    assert libraries.read(content) == Dynamic(
        "/lib/ld.so", ("libc.so.6", "libm.so.6"), ("$ORIGIN/../x", "/opt/lib")
    )


def test_libraries_of_libraries_are_found_where_the_image_looks_for_them(tmp_path: Path) -> None:
    put(tmp_path, "etc/ld.so.conf", b"include ld.so.conf.d/*.conf\n")
    put(tmp_path, "etc/ld.so.conf.d/arm.conf", b"# words\n/usr/lib/aarch64-linux-gnu\n")
    put(tmp_path, "lib/ld.so", program())
    put(tmp_path, "usr/lib/aarch64-linux-gnu/libc.so.6", program())
    put(tmp_path, "usr/lib/private/libown.so", program("libc.so.6", "libgone.so"))
    file = put(
        tmp_path, "usr/bin/tool", program("libown.so", interpreter="/lib/ld.so", runpath="$ORIGIN/../lib/private")
    )

    assert libraries.closure(tmp_path, file) == {
        "/lib/ld.so": "/lib/ld.so",
        "libown.so": "/usr/lib/private/libown.so",
        "libc.so.6": "/usr/lib/aarch64-linux-gnu/libc.so.6",
        "libgone.so": "",
    }


def test_no_name_leads_out_of_the_image(tmp_path: Path) -> None:
    put(tmp_path, "secret", b"")
    root = tmp_path / "root"
    file = put(root, "bin/tool", program("../../secret", "a b", interpreter="/../../secret", runpath="/.."))
    put(root, "lib/a b", b"")

    assert libraries.closure(root, file) == {"../../secret": "", "a b": ""}


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01", program("libc.so.6")[:100]])
def test_what_is_no_dynamic_program_has_none(tmp_path: Path, content: bytes) -> None:
    assert libraries.closure(tmp_path, put(tmp_path, "tool", content)) is None


@given(st.binary(max_size=300), st.integers(0, 400))
def test_no_content_breaks_it(noise: bytes, at: int) -> None:
    whole = program("libc.so.6", interpreter="/lib/ld.so")
    found = libraries.read(whole[:at] + noise + whole[at + len(noise) :])

    assert found is None or isinstance(found, Dynamic)
