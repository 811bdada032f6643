"""What an entry says, as data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.registry import said

DATA: dict[str, Any] = {
    "image": "a",
    "~init": None,
    "tags": {"x": "1", "~y": None},
    "interfaces": {"eth0": {}},
    "resources": {"r": 3},
}


@pytest.mark.parametrize(
    ("path", "settled"),
    [
        (("image",), True),
        (("init",), False),
        (("init", "below"), False),
        (("tags",), True),
        (("tags", "x"), True),
        (("tags", "y"), False),
        (("tags", "z"), None),
        (("interfaces", "eth0"), True),
        (("resources", "r", "s"), False),
        (("script",), None),
    ],
)
def test_an_entry_gives_removes_or_is_silent(path: tuple[str, ...], settled: bool | None) -> None:
    assert said.settles(DATA, path) is settled


def test_a_key_goes_with_the_maps_that_hold_nothing_else() -> None:
    assert said.without({"a": {"b": {"c": "1"}}, "d": "2"}, ("a", "b", "c")) == {"d": "2"}
    assert said.without({"a": {"b": "1", "c": "2"}}, ("a", "b")) == {"a": {"c": "2"}}


items = st.lists(st.sampled_from(["a", "b", "c", "~a", "~b"]), max_size=4)


@given(st.lists(items, max_size=4))
def test_joined_lists_have_each_item_once_as_it_was_said_last(lists: list[list[str]]) -> None:
    joined = said.joined([{"groups": each} for each in lists], ("groups",))

    assert len(joined) == len(set(joined))
    for item in [item for item in joined if not item.startswith("~")]:
        mentions = [each for some in lists for each in some if each.removeprefix("~") == item]
        assert mentions[-1] == item


@given(items, items, items)
def test_joined_lists_are_laid_over_a_weaker_one_like_each_by_itself(
    weaker: list[str], one: list[str], other: list[str]
) -> None:
    apart = said.appended(said.appended(weaker, one), other)
    together = said.appended(weaker, said.joined([{"groups": one}, {"groups": other}], ("groups",)))

    assert _items(together) == _items(apart)


def _items(joined: tuple[str, ...]) -> list[str]:
    return [item for item in joined if not item.startswith("~")]


def test_a_list_starts_anew_where_an_entry_removes_what_is_weaker() -> None:
    layers: list[dict[str, Any]] = [{"kernel": {"args": ["a"]}}, {"kernel": {"~args": None, "args": ["b"]}}]

    assert said.joined(layers, ("kernel", "args"), ["quiet"]) == ("b",)


@pytest.mark.parametrize(
    ("path", "clears"),
    [(("tags",), True), (("tags", "x"), True), (("image",), False), (("resources", "r", "s"), True)],
)
def test_an_entry_may_remove_what_it_gives_anew(path: tuple[str, ...], clears: bool) -> None:
    entry = {"~tags": None, "tags": {"x": "1"}, "image": "a", "resources": {"r": "5"}}

    assert said.clears(entry, path) is clears


def test_a_device_that_only_removes_is_there_all_the_same() -> None:
    assert said.settles({"interfaces": {"eth0": {"~mtu": None}}}, ("interfaces", "eth0")) is True
    assert said.settles({"resources": {"r": {"~w": None}}}, ("resources", "r")) is True
    assert said.settles({"tags": {"~x": None}}, ("tags",)) is None
