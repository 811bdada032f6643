"""Where an edit goes."""

from __future__ import annotations

import pytest

from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.registry.changes import Settings
from provisioner.registry.plan import NEW_NODES, add_group, add_nodes, delete_nodes, set_group, set_nodes
from tests.support.site import examined

RANGE = """\
nodes:
  n[001-004]: {image: a}   # the rack
  n001: {image: b}   # one
"""
FILES = {"nodes.d/rack.yaml": RANGE}


def test_new_nodes_are_one_range_entry_in_the_file_for_new_nodes() -> None:
    edited = add_nodes({}, examined({}), "n002,n001", {("interfaces", "eth0", "ip"): "10.0.1.1+"})

    assert edited == {NEW_NODES: "nodes:\n  n[001-002]: {interfaces: {eth0: {ip: 10.0.1.1+}}}\n"}


def test_a_node_that_exists_is_not_added_again() -> None:
    with pytest.raises(ConflictError, match=r"n\[003-004\] exists already, at nodes\.d/rack\.yaml:2"):
        add_nodes(FILES, examined(FILES), "n[003-009]", {})


def test_a_change_goes_to_the_entry_of_exactly_these_nodes() -> None:
    edited = set_nodes(FILES, examined(FILES), "n001", {("image",): "c"})

    assert edited["nodes.d/rack.yaml"] == RANGE.replace("{image: b}", "{image: c}")


def test_a_range_entry_is_never_rewritten_for_one_node() -> None:
    edited = set_nodes(FILES, examined(FILES), "n002", {("image",): "c"})

    assert edited["nodes.d/rack.yaml"] == RANGE + "  n002: {image: c}\n"


def test_a_change_goes_behind_everything_that_is_said_about_the_node() -> None:
    files = {**FILES, "nodes.d/z.yaml": "nodes:\n  n[001-009]: {image: z}\n"}

    edited = set_nodes(files, examined(files), "n001", {("image",): "c"})

    assert edited["nodes.d/rack.yaml"] == RANGE
    assert edited["nodes.d/z.yaml"].endswith("  n001: {image: c}\n")


def test_a_later_entry_that_says_nothing_about_it_is_no_obstacle() -> None:
    files = {**FILES, "nodes.d/z.yaml": "nodes:\n  n[001-009]: {script: boot}\n"}

    edited = set_nodes(files, examined(files), "n001", {("image",): "c"})

    assert "n001: {image: c}" in edited["nodes.d/rack.yaml"]


def test_a_change_that_would_have_no_effect_is_refused() -> None:
    files = {"nodes.d/a.yaml": "nodes:\n  n1: {image: a}\n  n[1-2]: {image: b}\n"}

    with pytest.raises(
        ConflictError, match=r"a\.yaml:3 says more about n1 than its own entry at nodes\.d/a\.yaml:2"
    ):
        set_nodes(files, examined(files), "n1", {("image",): "c"})


def test_nodes_that_do_not_exist_are_not_changed_or_deleted() -> None:
    with pytest.raises(NotFoundError, match="there is no node n005"):
        set_nodes(FILES, examined(FILES), "n[003-005]", {})
    with pytest.raises(NotFoundError, match="there is no node n005"):
        delete_nodes(FILES, examined(FILES), "n005")


def test_entries_of_a_node_alone_are_deleted() -> None:
    files = {"nodes.d/a.yaml": "nodes:\n  n1: {}\n  n2: {}\n", "nodes.d/b.yaml": "nodes: {n1: {}}\n"}

    edited = delete_nodes(files, examined(files), "n1")

    assert edited == {"nodes.d/a.yaml": "nodes:\n  n2: {}\n", "nodes.d/b.yaml": "nodes: {}\n"}


def test_a_whole_range_can_be_deleted_with_all_that_is_said_about_it() -> None:
    assert delete_nodes(FILES, examined(FILES), "n[001-004]") == {"nodes.d/rack.yaml": "nodes:\n"}


def test_a_node_in_a_range_is_not_deleted_but_the_edit_is_named() -> None:
    with pytest.raises(ConflictError, match=r"n002 is part of n\[001-004\] at nodes\.d/rack\.yaml:2") as caught:
        delete_nodes(FILES, examined(FILES), "n002")

    assert caught.value.hint == "change n[001-004] to n[001,003-004] there"


def test_a_text_that_is_no_node_set_is_refused_with_an_example() -> None:
    with pytest.raises(ProvisionerError, match="not a node set") as caught:
        add_nodes({}, examined({}), "n[1-", {})

    assert "n[001-004,010]" in str(caught.value.hint)


def test_a_new_group_gets_a_file_of_its_own() -> None:
    edited = add_group({}, examined({}), "compute", {("image",): "a"})

    assert edited == {"groups.d/compute.yaml": "groups:\n  compute: {image: a}\n"}


def test_a_group_is_changed_where_it_is_written() -> None:
    files = {"groups.d/all.yaml": "groups:\n  # comment\n  g: {image: a}\n"}

    assert set_group(files, examined(files), "g", {("image",): "b"}) == {
        "groups.d/all.yaml": "groups:\n  # comment\n  g: {image: b}\n"
    }
    with pytest.raises(ConflictError, match=r"exists already, at groups\.d/all\.yaml:3"):
        add_group(files, examined(files), "g", {})
    with pytest.raises(NotFoundError, match="there is no group h"):
        set_group(files, examined(files), "h", {})


@pytest.mark.parametrize(
    ("names", "settings", "place"),
    [
        ("n001", {("image",): ""}, "nodes.d/rack.yaml:3"),
        ("n002", {("image",): ""}, "nodes.d/rack.yaml:2"),
        ("n001", {("kernel", "args"): ("",)}, "nodes.d/rack.yaml:3"),
    ],
)
def test_a_value_cannot_be_cleared_by_command_and_the_place_to_edit_is_named(
    names: str, settings: Settings, place: str
) -> None:
    with pytest.raises(ProvisionerError, match="a command cannot clear") as caught:
        set_nodes(FILES, examined(FILES), names, settings)

    assert caught.value.hint == f"edit {place}"


def test_a_value_of_a_group_cannot_be_cleared_by_command_either() -> None:
    files = {"groups.d/g.yaml": "groups:\n  g:\n    script: boot\n    tags: {a: b}\n"}

    with pytest.raises(ProvisionerError) as caught:
        set_group(files, examined(files), "g", {("script",): ""})

    assert caught.value.hint == "edit groups.d/g.yaml:3"
    assert 'tags: {a: ""}' in set_group(files, examined(files), "g", {("tags", "a"): ""})["groups.d/g.yaml"]
