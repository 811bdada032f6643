from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError
from provisioner.image.rpmheader import parse
from tests.support.rpmheader import INT32, STRING_ARRAY, header, packed, text

FILES = (("/usr/bin/a", 0o100755), ("/usr/bin/b", 0o120777), ("/etc/d", 0o040755))
NAMED = [text(1000, "toy"), text(1001, "1"), text(1002, "1")]


def test_a_header_names_its_package_and_files_without_folders() -> None:
    found = parse(header("bash", "5.1.8", "9.el9", epoch=2, files=FILES))

    assert (found.name, found.version, found.architecture) == ("bash", "2:5.1.8-9.el9", "x86_64")
    assert found.files == ("/usr/bin/a", "/usr/bin/b")


def test_a_package_may_have_no_files_and_no_epoch() -> None:
    found = parse(header())

    assert (found.version, found.files) == ("1.0-1.el9", ())


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0\0\0\1",
        struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF),
        struct.pack(">II", 1, 100) + b"\0" * 16,
        packed([text(1000, "toy")]),
        packed([*NAMED[:2], (1002, 6, 1, b"no end")]),
        packed([*NAMED, (1117, STRING_ARRAY, 0xFFFFFFFF, b"a\0")]),
        packed([*NAMED, (1116, INT32, 0x3FFFFFFF, b"")]),
        packed([*NAMED, (1117, STRING_ARRAY, 1, b"a\0"), (1118, STRING_ARRAY, 1, b"/\0")]),
        header(files=[("/a", 0o100644)]).replace(struct.pack(">I", 0) + b"a\0", struct.pack(">I", 7) + b"a\0"),
    ],
    ids=[
        "empty",
        "short",
        "huge",
        "cut",
        "nameless",
        "endless",
        "many texts",
        "many numbers",
        "misfit",
        "no folder",
    ],
)
def test_a_header_that_lies_is_refused(blob: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"rpm header"):
        parse(blob)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(blob: bytes) -> None:
    with suppress(IntegrityError):
        parse(blob)


@given(st.data())
def test_a_header_with_any_byte_changed_is_read_or_refused(data: st.DataObject) -> None:
    blob = bytearray(header(epoch=1, files=FILES))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))

    with suppress(IntegrityError):
        parse(bytes(blob))
