"""Several entries as one."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.errors import ConflictError
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
    assert combined(layers, "n1") == together


@pytest.mark.parametrize(
    "layers", [[{"~tags": None}, {"tags": {"x": "1"}}], [{"kernel": {"~args": None}}, {"kernel": {"args": ["q"]}}]]
)
def test_what_one_entry_cannot_say_is_refused(layers: list[dict[str, Any]]) -> None:
    with pytest.raises(ConflictError, match="one entry cannot say what the entries of n1 say") as caught:
        combined(layers, "n1")

    assert caught.value.hint == "prov node edit n1"
