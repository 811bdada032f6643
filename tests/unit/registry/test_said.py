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
def test_joined_lists_have_each_item_once_and_no_marks(lists: list[list[str]]) -> None:
    joined = said.joined(lists)

    assert len(joined) == len(set(joined))
    assert not [item for item in joined if item.startswith("~")]
    for item in joined:
        mentions = [each for some in lists for each in some if each.removeprefix("~") == item]
        assert mentions[-1] == item
