"""What `~KEY:` removes, and what is no key at all."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from provisioner.model.device import Interface
from provisioner.model.written import Group, NodeEntry


def test_a_key_with_a_tilde_and_nothing_behind_it_removes_a_field() -> None:
    assert Group.model_validate({"~image": None}).removed == {("image",)}


def test_a_key_of_a_map_is_removed_in_the_same_way() -> None:
    entry = NodeEntry.model_validate({"tags": {"~rack": None, "row": "2"}, "interfaces": {"~eth1": None}})

    assert entry.removed == {("tags", "rack"), ("interfaces", "eth1")}
    assert entry.tags == {"row": "2"}
    assert entry.interfaces == {}


def test_free_resources_are_removed_at_any_depth() -> None:
    entry = NodeEntry.model_validate({"resources": {"a": {"~b": None, "c": {"~d": None, "e": 1}}}})

    assert entry.removed == {("resources", "a", "b"), ("resources", "a", "c", "d")}
    assert entry.resources == {"a": {"c": {"e": 1}}}


def test_a_field_inside_a_device_is_removed_there() -> None:
    assert Interface.model_validate({"~mtu": None, "bond": {"~miimon": None}}).removed == {("mtu",)}


@pytest.mark.parametrize(
    "written", [{"~image": "x"}, {"~imagine": None}, {"~": None}, {"removed": None}, {"tags": {"~a": "b"}}]
)
def test_a_removal_with_a_value_or_of_nothing_is_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Group.model_validate(written)


@pytest.mark.parametrize("value", [frozenset({("image",)}), [["image"]], None, "x"])
def test_what_is_removed_cannot_be_said_in_another_way(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        NodeEntry.model_validate({"~": value})

    assert caught.value.errors()[0]["type"] == "extra_forbidden"


def test_a_group_has_no_groups_of_others_to_remove() -> None:
    assert NodeEntry.model_validate({"~groups": None}).removed == {("groups",)}
    with pytest.raises(ValidationError):
        Group.model_validate({"~groups": None})


def test_what_removes_nothing_is_no_part_of_what_is_dumped() -> None:
    assert "removed" not in Group(image="a").model_dump()
