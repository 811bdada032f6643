"""Dotted paths and their keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.steps import dotted, placed, split


@given(st.lists(st.text(), min_size=1))
def test_keys_come_back_from_the_path_that_they_make(keys: list[str]) -> None:
    assert split(dotted(keys)) == tuple(keys)


@given(st.text())
def test_every_text_has_keys_in_the_order_of_their_places(path: str) -> None:
    places = [offset for _, offset in placed(path)]

    assert places == sorted(set(places))
    assert places[0] == 0


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("tags.rack", ("tags", "rack")),
        ('resources."a.b".c', ("resources", "a.b", "c")),
        (r'resources."a\"b"', ("resources", 'a"b')),
        ('resources."a.b', ("resources", '"a', "b")),
        ("a..b", ("a", "", "b")),
        ("", ("",)),
    ],
)
def test_a_key_with_a_dot_in_it_goes_in_quotes(path: str, keys: tuple[str, ...]) -> None:
    assert split(path) == keys
