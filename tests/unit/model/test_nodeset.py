"""Node sets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.nodeset import LONGEST_TEXT, expand, fold

names = st.from_regex(r"[a-z][a-z0-9]{0,6}[0-9]{0,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n001", ("n001",)),
        ("n[001-003]", ("n001", "n002", "n003")),
        ("n[08-10]", ("n08", "n09", "n10")),
        ("n[1-9/4],m1", ("m1", "n1", "n5", "n9")),
        ("n[1-4]!n2", ("n1", "n3", "n4")),
        ("n[1-4]&n[3-9]", ("n3", "n4")),
        ("n[1-3]^n[3-4]", ("n1", "n2", "n4")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
        (" n1 , n2 ", ("n1", "n2")),
    ],
)
def test_the_dialect_of_admins_is_understood(text: str, expected: tuple[str, ...]) -> None:
    assert expand(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("n[1-2]!n[1-2]", "empty"),
        ("n[1-3", "missing bracket"),
        ("n[3-1]", "invalid values"),
        ("@compute", "names a group"),
        ("n*", "has no meaning"),
        ("n1 n2", "has no meaning"),
        ("n%s", "has no meaning"),
        ("n1.example", "not a host name"),
        ("-n1", "not a host name"),
        ("n[1-1000000000]", "more than 100000"),
        ("n[1-999999999999999999999]", "more than 18 digits"),
        ("a[1-1000]b[1-1000]", "more than 100000"),
        ("n[1-60000],m[1-60000]", "more than 100000"),
        ("n" * (LONGEST_TEXT + 1), "characters long"),
    ],
)
def test_what_is_no_node_set_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        expand(text)


def test_a_bomb_is_refused_before_it_is_expanded() -> None:
    start = time.perf_counter()

    with pytest.raises(ValueError, match="more than"):
        expand(",".join(["n[1-99999]"] * 500))

    assert time.perf_counter() - start < 1


@given(st.sets(names, min_size=1, max_size=30))
def test_expanding_a_folded_set_gives_the_same_names(chosen: set[str]) -> None:
    assert set(expand(fold(chosen))) == chosen


@given(st.text(alphabet="n019[]-,/!&^@ *%x.", max_size=40))
def test_any_text_is_a_set_of_names_or_a_value_error(text: str) -> None:
    try:
        found = expand(text)
    except ValueError:
        return
    assert found
    assert len(set(found)) == len(found)


def test_nothing_folds_to_nothing() -> None:
    assert fold([]) == ""


@pytest.mark.parametrize("text", ["n[1-3-30000000]", "n[1-8-2]", "n[-3]", "n[1-]"])
def test_a_range_that_is_none_is_refused_before_anything_is_expanded(text: str) -> None:
    with pytest.raises(ValueError, match="not a list of numbers and ranges"):
        expand(text)
