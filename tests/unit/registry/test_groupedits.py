"""Edits of groups."""

from __future__ import annotations

import pytest

from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.model.written import Group
from provisioner.registry.field import Assignment, parse_assignment
from provisioner.registry.groupedits import (
    add_group,
    copy_group,
    delete_group,
    rename_group,
    set_group,
    unset_group,
)
from tests.support.view import MemoryView

FILE = "groups.d/all.yaml"
GROUPS = """\
groups:
  # comment
  base: {image: a, kernel: {args: [quiet]}}
  compute:
    groups:
      - base   # what all have
    tags: {role: work}
"""
NODES = "nodes:\n  n[1-4]: {groups: [compute, base]}\n  n7: {groups: [~base]}   # bare\n"
VIEW = MemoryView({FILE: GROUPS, "nodes.d/n.yaml": NODES})


def changes(*texts: str) -> list[Assignment]:
    return [parse_assignment(text, Group) for text in texts]


def test_a_new_group_gets_a_file_of_its_own() -> None:
    edited = add_group(MemoryView({}), "gpu", changes("image=a", "groups-=base"))

    assert edited == {"groups.d/gpu.yaml": "groups:\n  gpu: {image: a, groups: [~base]}\n"}


def test_a_group_is_changed_where_it_is_written() -> None:
    assert set_group(VIEW, "base", changes("image=b")) == {FILE: GROUPS.replace("image: a", "image: b")}


def test_a_name_that_is_taken_or_none_at_all_is_refused() -> None:
    with pytest.raises(ConflictError, match=r"the group base exists already, at groups\.d/all\.yaml:3"):
        add_group(VIEW, "base", [])
    with pytest.raises(ProvisionerError, match="is not a name"):
        add_group(VIEW, "../base", [])
    with pytest.raises(ConflictError, match="exists already"):
        rename_group(VIEW, "compute", "base")
    with pytest.raises(ConflictError, match="exists already"):
        copy_group(VIEW, "compute", "base")


def test_a_group_that_does_not_exist_cannot_be_edited() -> None:
    with pytest.raises(NotFoundError, match="there is no group h"):
        set_group(VIEW, "h", changes("image=b"))
    with pytest.raises(NotFoundError, match="there is no group h"):
        unset_group(VIEW, "h", [("image",)])
    with pytest.raises(NotFoundError, match="there is no group h"):
        delete_group(VIEW, "h")
    with pytest.raises(NotFoundError, match="there is no group h"):
        rename_group(VIEW, "h", "i")
    with pytest.raises(NotFoundError, match="there is no group h"):
        copy_group(VIEW, "h", "i")


def test_an_item_that_another_group_gives_is_marked_as_removed() -> None:
    edited = set_group(VIEW, "compute", changes("kernel.args-=quiet"))

    assert edited[FILE] == GROUPS + "    kernel: {args: [~quiet]}\n"


def test_a_value_of_a_group_is_unset_and_an_inherited_one_only_when_asked_for() -> None:
    assert unset_group(VIEW, "compute", [("tags", "role")]) == {
        FILE: GROUPS.replace("    tags: {role: work}\n", "")
    }
    with pytest.raises(NotFoundError, match="does not set image; it comes from group base"):
        unset_group(VIEW, "compute", [("image",)])
    with pytest.raises(NotFoundError, match="nothing sets init of the group compute"):
        unset_group(VIEW, "compute", [("init",)], inherited=True)

    assert unset_group(VIEW, "compute", [("image",)], inherited=True) == {FILE: GROUPS + "    ~image:\n"}


def test_a_group_in_use_is_not_deleted_and_its_users_are_named() -> None:
    with pytest.raises(ConflictError) as caught:
        delete_group(VIEW, "base")

    assert caught.value.message == "the group base is in use, by the groups compute and the nodes n[1-4,7] (5)"
    assert "--detach" in str(caught.value.hint)


def test_a_group_is_deleted_with_every_reference_to_it() -> None:
    edited = delete_group(VIEW, "base", detach=True)

    assert edited[
        FILE
    ] == "groups:\n  # comment\n  compute:\n    groups:\n      - base   # what all have\n".replace(
        "    groups:\n      - base   # what all have\n", "    tags: {role: work}\n"
    )
    assert edited["nodes.d/n.yaml"] == "nodes:\n  n[1-4]: {groups: [compute]}\n  n7: {}   # bare\n"


def test_a_file_that_holds_one_group_goes_with_it() -> None:
    view = MemoryView({}).after(add_group(MemoryView({}), "gpu", []))

    assert delete_group(view, "gpu") == {"groups.d/gpu.yaml": None}


def test_a_renamed_group_keeps_its_place_and_its_users() -> None:
    edited = rename_group(VIEW, "base", "common")

    assert edited[FILE] == GROUPS.replace("base", "common")
    assert edited["nodes.d/n.yaml"] == NODES.replace("base", "common")


def test_a_name_inside_another_name_is_no_reference() -> None:
    view = MemoryView({FILE: "groups:\n  a: {}\n  aa: {groups: [a], tags: {groups: a}}\n"})

    assert rename_group(view, "a", "b")[FILE] == "groups:\n  b: {}\n  aa: {groups: [b], tags: {groups: a}}\n"


def test_a_copied_group_says_the_same_in_the_same_words() -> None:
    edited = copy_group(VIEW, "compute", "gpu")

    assert edited[FILE] == GROUPS + "  gpu:\n    groups:\n      - base   # what all have\n    tags: {role: work}\n"


def test_a_group_that_a_list_names_twice_is_deleted_with_both() -> None:
    view = MemoryView({FILE: "groups: {a: {}, b: {}}\n", "nodes.d/n.yaml": "nodes:\n  n1: {groups: [a, b, a]}\n"})

    assert delete_group(view, "a", detach=True)["nodes.d/n.yaml"] == "nodes:\n  n1: {groups: [b]}\n"


def test_groups_of_a_group_are_not_inherited_so_there_is_nothing_to_mark() -> None:
    with pytest.raises(NotFoundError, match="nothing sets groups of the group base"):
        unset_group(VIEW, "base", [("groups",)], inherited=True)
