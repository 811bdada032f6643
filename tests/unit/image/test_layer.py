from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError
from provisioner.image.layer import Limits, normal
from provisioner.image.member import time_of, xattrs_of


@pytest.mark.parametrize(
    ("name", "expected"), [("./a/b/", "a/b"), ("/a//b", "a/b"), (".", ""), ("/", ""), ("a/./b", "a/b")]
)
def test_names_become_plain_paths(name: str, expected: str) -> None:
    assert normal(name, Limits()) == expected


@pytest.mark.parametrize("name", ["..", "a/../b", "../x", "a\0b"])
def test_names_that_are_no_path_inside_are_refused(name: str) -> None:
    with pytest.raises(IntegrityError, match="no path inside an image"):
        normal(name, Limits())


@given(st.text())
def test_any_name_is_a_plain_path_or_refused(name: str) -> None:
    try:
        found = normal(name, Limits())
    except IntegrityError:
        return
    assert not {"", ".", ".."} & set(found.split("/")) or found == ""


def test_attributes_are_read_in_both_notations() -> None:
    member = tarfile.TarInfo("f")
    member.pax_headers = {
        "SCHILY.xattr.user.binary": b"\xff\x00".decode("utf-8", "surrogateescape"),
        "LIBARCHIVE.xattr.user.encoded": "AQI",
        "comment": "none",
    }

    assert xattrs_of(member) == [("user.binary", b"\xff\x00"), ("user.encoded", b"\x01\x02")]


def test_times_are_nanoseconds() -> None:
    member = tarfile.TarInfo("f")
    member.mtime = 1_600_000_000

    assert time_of(member) == 1_600_000_000 * 10**9
