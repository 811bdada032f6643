"""Conditions of a request for a file: what is answered, and what is refused with a reason."""

from __future__ import annotations

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from provisioner.http.conditions import Part, part_of

TAG = "sha256:" + "3" * 64


def asked(**headers: str) -> Part | None:
    return part_of(CIMultiDict((name.replace("_", "-"), text) for name, text in headers.items()), 100, TAG)


@pytest.mark.parametrize(
    ("wanted", "start", "count"),
    [
        ("bytes=0-", 0, 100),
        ("bytes=99-", 99, 1),
        ("bytes=5-9", 5, 5),
        ("bytes=-1", 99, 1),
        ("bytes=-500", 0, 100),
        ("bytes=50-5000", 50, 50),
    ],
)
def test_a_range_that_overlaps_the_file_is_answered(wanted: str, start: int, count: int) -> None:
    part = asked(Range=wanted)

    assert part == Part(start, count, 100, partial=True)
    assert part.is_last == (start + count == 100)


@pytest.mark.parametrize(
    "wanted", ["bytes=100-", "bytes=9-5", "bytes=", "bytes=-", "bytes=-0", "bytes=x", "bytes=1"]
)
def test_any_other_range_is_refused_and_the_size_told(wanted: str) -> None:
    with pytest.raises(web.HTTPRequestRangeNotSatisfiable) as caught:
        asked(Range=wanted)

    assert caught.value.headers["Content-Range"] == "bytes */100"
    assert caught.value.text == f"the file has 100 bytes; {wanted!r} is no range of them\n"


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=1-", ""])
def test_several_ranges_and_other_units_are_answered_with_the_whole_file(wanted: str) -> None:
    assert asked(Range=wanted) == Part(0, 100, 100, partial=False)


@pytest.mark.parametrize("header", [{"If_Match": '"other"'}, {"if_match": f'W/"{TAG}"'}])
def test_a_precondition_that_does_not_hold_is_refused(header: dict[str, str]) -> None:
    with pytest.raises(web.HTTPPreconditionFailed):
        asked(**header)


def test_a_file_without_a_date_is_unmodified_since_any() -> None:
    assert asked(If_Unmodified_Since="Sat, 29 Oct 1994 19:43:31 GMT") == Part(0, 100, 100, partial=False)


def test_who_asks_for_the_size_alone_is_told_that_of_the_whole_file() -> None:
    part = part_of(CIMultiDict({"Range": "bytes=5-9"}), 100, TAG, method="HEAD")

    assert part == Part(0, 100, 100, partial=False)


@pytest.mark.parametrize("tag", ["*", f'"{TAG}"', f'"other", "{TAG}"'])
def test_a_precondition_that_holds_is_no_matter(tag: str) -> None:
    assert asked(If_Match=tag) == Part(0, 100, 100, partial=False)


@pytest.mark.parametrize("tag", ["*", f'"{TAG}"', f'W/"{TAG}"', f'"other", "{TAG}"'])
def test_who_has_the_file_gets_nothing(tag: str) -> None:
    assert asked(If_None_Match=tag) is None


def test_who_has_another_file_gets_this_one() -> None:
    assert asked(If_None_Match='"other"') == Part(0, 100, 100, partial=False)


@pytest.mark.parametrize(("tag", "start"), [(f'"{TAG}"', 5), ('"other"', 0), (f'W/"{TAG}"', 0), ("a date", 0)])
def test_a_range_holds_only_for_the_file_that_it_was_begun_with(tag: str, start: int) -> None:
    part = asked(Range="bytes=5-", If_Range=tag)

    assert part is not None
    assert part.start == start


@given(st.text(max_size=40))
def test_no_range_asks_for_bytes_that_are_not_there(text: str) -> None:
    try:
        part = asked(Range=f"bytes={text}")
    except web.HTTPRequestRangeNotSatisfiable:
        return
    assert part is not None
    assert 0 <= part.start < part.start + part.count <= 100
