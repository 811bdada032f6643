"""Several entries as one."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.registry.combine import combined


@pytest.mark.parametrize(
    ("layers", "together"),
    [
        ([{"image": "a"}, {"image": "b"}], {"image": "b"}),
        ([{"image": "a"}, {"~image": None}], {"~image": None}),
        ([{"~image": None}, {"image": "b"}], {"image": "b"}),
        ([{"groups": ["a", "b"]}, {"groups": ["~a", "c"]}], {"groups": ["b", "~a", "c"]}),
        ([{"tags": {"x": "1"}}, {"tags": {"y": "2", "~x": None}}], {"tags": {"~x": None, "y": "2"}}),
        ([{"resources": {"l": ["a"]}}, {"resources": {"l": ["b"]}}], {"resources": {"l": ["b"]}}),
        ([{"interfaces": {"e": {"mtu": "1"}}}, {"interfaces": {"e": {}}}], {"interfaces": {"e": {"mtu": "1"}}}),
    ],
)
def test_a_later_entry_is_laid_over_an_earlier_one(layers: list[dict[str, Any]], together: dict[str, Any]) -> None:
    assert combined(layers) == together


@pytest.mark.parametrize(
    ("layers", "together"),
    [
        ([{"~tags": None}, {"tags": {"x": "1"}}], {"~tags": None, "tags": {"x": "1"}}),
        ([{"kernel": {"~args": None}}, {"kernel": {"args": ["q"]}}], {"kernel": {"~args": None, "args": ["q"]}}),
        ([{"tags": {"x": "1"}}, {"tags": {"y": "2"}, "~tags": None}], {"~tags": None, "tags": {"y": "2"}}),
        ([{"kernel": {"args": ["~p"]}}, {"kernel": {"args": ["p"]}}], {"kernel": {"args": ["~p", "p"]}}),
    ],
)
def test_what_is_removed_and_then_said_anew_is_one_entry_with_both(
    layers: list[dict[str, Any]], together: dict[str, Any]
) -> None:
    assert combined(layers) == together


@pytest.mark.parametrize("below", [{"v": "2"}, {}, {"~w": None}])
def test_a_map_over_a_value_lets_nothing_weaker_through(below: dict[str, Any]) -> None:
    assert combined([{"resources": {"r": "5"}}, {"resources": {"r": below}}]) == {
        "resources": {"~r": None, "r": below}
    }


def test_a_key_with_nothing_behind_it_takes_nothing_away() -> None:
    assert combined([{"image": "a"}, {"image": None}]) == {"image": "a"}
