"""Edits of nodes."""

from __future__ import annotations

import pytest

from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.registry.field import Assignment, parse_assignment, parse_path
from provisioner.registry.nodeedits import (
    NEW_NODES,
    add_nodes,
    copy_node,
    delete_nodes,
    rename_nodes,
    set_nodes,
    unset_nodes,
)
from tests.support.view import MemoryView

RACK = "nodes.d/rack.yaml"
RANGE = """\
nodes:
  n[001-004]: {image: a}   # the rack
  n001: {image: b}   # one
"""
VIEW = MemoryView({RACK: RANGE})
GROUPS = """\
groups:
  base: {kernel: {args: [quiet, splash]}}
  compute: {groups: [base], image: g, tags: {role: work}}
"""


def changes(*texts: str) -> list[Assignment]:
    return [parse_assignment(text) for text in texts]


def site(nodes: str, **files: str) -> MemoryView:
    return MemoryView({RACK: nodes, "groups.d/g.yaml": GROUPS, **files})


def test_new_nodes_are_one_range_entry_in_the_file_for_new_nodes() -> None:
    edited = add_nodes(MemoryView({}), ["n002", "n001"], changes("interfaces.eth0.ip=10.0.1.1+"))

    assert edited == {NEW_NODES: "nodes:\n  n[001-002]: {interfaces: {eth0: {ip: 10.0.1.1+}}}\n"}


def test_a_node_that_exists_is_not_added_again() -> None:
    with pytest.raises(ConflictError, match=r"n\[003-004\] exists already, at nodes\.d/rack\.yaml:2"):
        add_nodes(VIEW, [f"n{number:03}" for number in range(3, 9)], [])


def test_a_new_node_that_would_be_too_wide_for_a_line_gets_a_line_for_each_field() -> None:
    edited = add_nodes(MemoryView({}), ["n1"], changes("kernel.args=" + " ".join(["quiet"] * 20), "image=a"))

    assert (
        edited[NEW_NODES] == f"nodes:\n  n1:\n    kernel: {{args: [{', '.join(['quiet'] * 20)}]}}\n    image: a\n"
    )


def test_new_nodes_go_to_another_file_when_the_first_one_is_full() -> None:
    full = "nodes:\n" + "".join(f"  m{number}: {{image: a}}\n" for number in range(4000))

    assert list(add_nodes(MemoryView({NEW_NODES: full}), ["n1"], [])) == ["nodes.d/nodes-0002.yaml"]


def test_a_change_goes_to_the_entry_of_exactly_these_nodes() -> None:
    assert set_nodes(VIEW, ["n001"], changes("image=c")) == {RACK: RANGE.replace("{image: b}", "{image: c}")}


def test_a_range_entry_is_never_rewritten_for_one_node() -> None:
    assert set_nodes(VIEW, ["n002"], changes("image=c")) == {RACK: RANGE + "  n002: {image: c}\n"}


def test_a_change_goes_behind_everything_that_is_said_about_the_node() -> None:
    view = MemoryView({RACK: RANGE, "nodes.d/z.yaml": "nodes:\n  n[001-009]: {image: z}\n"})

    edited = set_nodes(view, ["n001"], changes("image=c"))

    assert edited == {"nodes.d/z.yaml": "nodes:\n  n[001-009]: {image: z}\n  n001: {image: c}\n"}


def test_a_later_entry_that_says_nothing_about_it_is_no_obstacle() -> None:
    view = MemoryView({RACK: RANGE, "nodes.d/z.yaml": "nodes:\n  n[001-009]: {script: boot}\n"})

    assert list(set_nodes(view, ["n001"], changes("image=c"))) == [RACK]


def test_a_change_that_would_have_no_effect_is_refused() -> None:
    view = MemoryView({"nodes.d/a.yaml": "nodes:\n  n1: {image: a}\n  n[1-2]: {image: b}\n"})

    with pytest.raises(
        ConflictError, match=r"a\.yaml:3 says more about n1 than its own entry at nodes\.d/a\.yaml:2"
    ):
        set_nodes(view, ["n1"], changes("image=c"))


def test_a_change_of_a_whole_range_takes_the_exceptions_inside_it_along() -> None:
    edited = set_nodes(VIEW, ["n001", "n002", "n003", "n004"], changes("image=c"))

    # The comment keeps the entry of n001 from going.
    assert edited == {RACK: RANGE.replace("{image: a}", "{image: c}").replace("{image: b}", "{}")}


def test_nodes_that_do_not_exist_are_not_changed_or_deleted() -> None:
    with pytest.raises(NotFoundError, match="there is no node n005"):
        set_nodes(VIEW, ["n003", "n005"], changes("image=c"))
    with pytest.raises(NotFoundError, match="there is no node n005"):
        unset_nodes(VIEW, ["n003", "n005"], [("image",)])
    with pytest.raises(NotFoundError, match="there is no node n005"):
        delete_nodes(VIEW, ["n005"])
    with pytest.raises(NotFoundError, match="there is no node n005"):
        rename_nodes(VIEW, {"n005": "n006"})
    with pytest.raises(NotFoundError, match="there is no node n005"):
        copy_node(VIEW, "n005", ["n006"])


def test_an_edit_of_no_nodes_is_refused() -> None:
    with pytest.raises(ProvisionerError, match="no node is named"):
        set_nodes(VIEW, [], changes("image=c"))


def test_a_value_that_is_set_already_changes_nothing() -> None:
    assert set_nodes(VIEW, ["n001"], changes("image=b")) == {}


def test_items_are_added_to_the_own_list_and_keep_its_comments() -> None:
    view = site("nodes:\n  n1:\n    kernel:\n      args:\n        - a   # first\n    groups: [compute]\n")

    edited = set_nodes(view, ["n1"], changes("kernel.args+=b a", "groups+=base"))

    assert edited[RACK] == (
        "nodes:\n  n1:\n    kernel:\n      args:\n        - a   # first\n        - b\n"
        "    groups: [compute, base]\n"
    )


def test_an_item_to_add_takes_the_place_of_the_mark_that_removes_it() -> None:
    view = site("nodes:\n  n1: {groups: [compute], kernel: {args: [~quiet, x]}}\n")

    edited = set_nodes(view, ["n1"], changes("kernel.args+=quiet"))

    assert edited[RACK] == "nodes:\n  n1: {groups: [compute], kernel: {args: [x, quiet]}}\n"


def test_an_own_item_is_taken_out_and_an_inherited_one_is_marked() -> None:
    view = site("nodes:\n  n1: {groups: [compute], kernel: {args: [x, y]}}\n")

    edited = set_nodes(view, ["n1"], changes("kernel.args-=x quiet"))

    assert edited[RACK] == "nodes:\n  n1: {groups: [compute], kernel: {args: [y, ~quiet]}}\n"
    assert view.after(edited).nodes()["n1"].kernel_args == ("splash", "y")


def test_a_group_that_another_one_brings_is_marked_too() -> None:
    view = site("nodes:\n  n1: {groups: [compute, base]}\n")

    edited = set_nodes(view, ["n1"], changes("groups-=base"))

    assert edited[RACK] == "nodes:\n  n1: {groups: [compute, ~base]}\n"
    assert view.after(edited).nodes()["n1"].groups == ("compute",)


def test_an_overlay_of_the_product_can_be_taken_away() -> None:
    view = site("nodes:\n  n1: {image: a}\n")

    edited = set_nodes(view, ["n1"], changes("overlays.system-=ssh"))

    assert edited[RACK] == "nodes:\n  n1: {image: a, overlays: {system: [~ssh]}}\n"
    assert "ssh" not in view.after(edited).nodes()["n1"].system_overlays


def test_an_item_that_is_nowhere_is_named_with_what_there_is() -> None:
    view = site("nodes:\n  n1: {groups: [compute]}\n")

    with pytest.raises(NotFoundError, match=r"kernel\.args of n1 has no item quit") as caught:
        set_nodes(view, ["n1"], changes("kernel.args-=quit"))

    assert caught.value.hint == "it has quiet, splash"


def test_a_value_below_a_mark_of_the_same_entry_starts_a_map_anew() -> None:
    view = site("nodes:\n  n1: {~interfaces: }\n")

    edited = set_nodes(view, ["n1"], changes("interfaces.eth0.mtu=9000"))

    assert edited == {RACK: "nodes:\n  n1: {~interfaces: , interfaces: {eth0: {mtu: 9000}}}\n"}
    assert view.after(edited).nodes()["n1"].interfaces[0].mtu == 9000
    # The node itself stays, though nothing is said about it any more.
    assert unset_nodes(view, ["n1"], [parse_path("~interfaces")]) == {RACK: "nodes:\n  n1: {}\n"}


def test_a_value_takes_the_place_of_the_mark_that_removes_it() -> None:
    view = site("nodes:\n  n1: {groups: [compute], ~image: }\n")

    assert set_nodes(view, ["n1"], changes("image=b"))[RACK] == "nodes:\n  n1: {groups: [compute], image: b}\n"


def test_an_own_value_is_unset_with_the_maps_that_hold_nothing_else() -> None:
    view = site("nodes:\n  n1:\n    kernel: {args: [x]}\n    interfaces:\n      eth0: {mtu: 9000}\n    image: a\n")

    edited = unset_nodes(view, ["n1"], [("kernel", "args"), ("interfaces", "eth0", "mtu")])

    assert edited == {RACK: "nodes:\n  n1:\n    image: a\n"}


def test_a_comment_keeps_a_map_that_holds_nothing_else() -> None:
    view = site("nodes:\n  n1:\n    kernel:   # ask Ann\n      args: [x]\n    image: a\n")

    assert unset_nodes(view, ["n1"], [("kernel", "args")])[RACK] == (
        "nodes:\n  n1:\n    kernel:   # ask Ann\n    image: a\n"
    )


def test_an_entry_that_says_nothing_any_more_goes_when_another_one_names_its_nodes() -> None:
    view = MemoryView({RACK: RANGE.replace("   # one", "")})

    edited = unset_nodes(view, ["n001"], [("image",)])

    # What the range entry says is removed for this node alone.
    assert edited == {RACK: "nodes:\n  n[001-004]: {image: a}   # the rack\n  n001: {~image: }\n"}
    other = MemoryView({RACK: "nodes:\n  n[1-2]: {image: a}\n  n1: {script: boot}\n"})
    assert unset_nodes(other, ["n1"], [("script",)]) == {RACK: "nodes:\n  n[1-2]: {image: a}\n"}


def test_a_value_of_a_group_is_unset_only_when_it_is_asked_for() -> None:
    view = site("nodes:\n  n[1-2]: {groups: [compute]}\n")

    with pytest.raises(NotFoundError, match=r"it comes from group compute, groups\.d/g\.yaml:3") as caught:
        unset_nodes(view, ["n1"], [("image",)])
    edited = unset_nodes(view, ["n1"], [("image",), ("tags", "role")], inherited=True)

    assert "--inherited" in str(caught.value.hint)
    assert edited[RACK] == "nodes:\n  n[1-2]: {groups: [compute]}\n  n1: {~image: , tags: {~role: }}\n"
    nodes = view.after(edited).nodes()
    assert (nodes["n1"].image, nodes["n1"].tags, nodes["n2"].image) == (None, {}, "g")


def test_what_nobody_sets_cannot_be_unset() -> None:
    with pytest.raises(NotFoundError, match="nothing sets tags of n001"):
        unset_nodes(VIEW, ["n001"], [("tags",)], inherited=True)


def test_entries_of_a_node_alone_are_deleted_and_files_that_hold_nothing_go() -> None:
    view = MemoryView({"nodes.d/a.yaml": "nodes:\n  n1: {}\n  n2: {}\n", "nodes.d/b.yaml": "nodes: {n1: {}}\n"})

    assert delete_nodes(view, ["n1"]) == {"nodes.d/a.yaml": "nodes:\n  n2: {}\n", "nodes.d/b.yaml": None}


def test_a_file_with_a_comment_is_not_deleted() -> None:
    view = MemoryView({RACK: "# The rack by the door.\nnodes:\n  n1: {}\n"})

    assert delete_nodes(view, ["n1"]) == {RACK: "# The rack by the door.\nnodes:\n"}


def test_a_node_leaves_a_range_entry_to_the_others() -> None:
    edited = delete_nodes(VIEW, ["n002"])

    assert edited == {RACK: RANGE.replace("n[001-004]", "n[001,003-004]")}


def test_a_range_that_shrinks_to_one_node_is_spelled_so_that_no_key_comes_twice() -> None:
    view = MemoryView({RACK: "nodes:\n  n[001-002]: {image: a}\n  n001: {image: b}\n"})

    edited = delete_nodes(view, ["n002"])

    assert edited == {RACK: "nodes:\n  n[001]: {image: a}\n  n001: {image: b}\n"}
    assert view.after(edited).nodes()["n001"].image == "b"


def test_a_renamed_node_keeps_its_own_entries_and_leaves_shared_ones_split() -> None:
    edited = rename_nodes(VIEW, {"n001": "m7"})

    assert edited[RACK] == (
        "nodes:\n  n[002-004]: {image: a}   # the rack\n  m7: {image: a}   # the rack\n  m7: {image: b}   # one\n"
    ).replace("  m7: {image: b}", "  m[7]: {image: b}")


def test_two_nodes_can_swap_names() -> None:
    view = MemoryView({RACK: "nodes:\n  n1: {image: a}\n  n2: {image: b}\n"})

    assert rename_nodes(view, {"n1": "n2", "n2": "n1"})[RACK] == "nodes:\n  n2: {image: a}\n  n1: {image: b}\n"


def test_a_name_that_another_node_has_is_refused() -> None:
    with pytest.raises(ConflictError, match=r"n002 exists already, at nodes\.d/rack\.yaml:2"):
        rename_nodes(VIEW, {"n001": "n002"})
    with pytest.raises(ConflictError, match="two nodes would get the name x"):
        rename_nodes(VIEW, {"n001": "x", "n002": "x"})
    with pytest.raises(ProvisionerError, match="not one name"):
        rename_nodes(VIEW, {"n001": "x[1-2]"})


def test_a_copy_says_what_its_source_says_but_for_what_tells_machines_apart() -> None:
    view = site(
        "nodes:\n  n1:\n    uuid: 123e4567-e89b-12d3-a456-426614174000\n    groups: [compute]\n"
        '    interfaces: {eth0: {mac: "52:54:00:00:00:01", mtu: 9000, ip: 10.0.1.1+, tags: {mac: x}}}\n'
        '  n[1-2]: {interfaces: {eth1: {ip: 10.0.9.9}}, groups: [base], resources: {cores: 64, t: "64"}}\n'
    )

    edited = copy_node(view, "n1", ["n8", "n9"])

    assert edited[NEW_NODES] == (
        "nodes:\n  n[8-9]:\n    groups: [compute, base]\n"
        "    interfaces: {eth0: {mtu: 9000, ip: 10.0.1.1+, tags: {mac: x}}}\n"
        '    resources: {cores: 64, t: "64"}\n'
    )


def test_a_list_beside_the_mark_that_removes_it_starts_anew_and_keeps_the_mark() -> None:
    view = site("nodes:\n  n1: {groups: [base], kernel: {~args: }}\n")

    added = view.after(set_nodes(view, ["n1"], changes("kernel.args+=a")))
    taken = added.after(set_nodes(added, ["n1"], changes("kernel.args+=b", "kernel.args-=a")))

    assert added.nodes()["n1"].kernel_args == ("a",)
    assert taken.contents[RACK] == "nodes:\n  n1: {groups: [base], kernel: {~args: , args: [b]}}\n"


def test_a_stronger_list_that_starts_anew_is_no_place_for_a_change_before_it() -> None:
    later = {"nodes.d/z.yaml": "nodes:\n  n2: {kernel: {~args: , args: [b]}}\n"}
    view = site("nodes:\n  n[1-2]: {kernel: {args: [a]}}\n", **later)

    edited = set_nodes(view, ["n1", "n2"], changes("kernel.args+=c"))

    assert {name: node.kernel_args for name, node in view.after(edited).nodes().items()} == {
        "n1": ("a", "c"),
        "n2": ("b", "c"),
    }


@pytest.mark.parametrize("change", ["kernel.args+=~q", "kernel.args=[~q]"])
def test_a_mark_in_a_list_goes_behind_what_brings_the_item(change: str) -> None:
    view = site(
        "nodes:\n  n[1-2]: {}\n  n1: {kernel: {args: [~q]}}\n",
        **{"nodes.d/z.yaml": "nodes:\n  n[1-2]: {kernel: {args: [q]}}\n"},
    )

    after = view.after(set_nodes(view, ["n1"], changes(change)))

    assert after.nodes()["n1"].kernel_args == ()
    assert after.nodes()["n2"].kernel_args == ("q",)


def test_a_mark_takes_the_place_of_the_own_item() -> None:
    view = site("nodes:\n  n1: {groups: [base], kernel: {args: [x, quiet]}}\n")

    edited = set_nodes(view, ["n1"], changes("kernel.args+=~quiet"))

    assert edited == {RACK: "nodes:\n  n1: {groups: [base], kernel: {args: [x, ~quiet]}}\n"}


def test_every_item_that_is_the_same_is_taken_out() -> None:
    view = site("nodes:\n  n1: {kernel: {args: [a, a, b, a]}}\n")

    assert set_nodes(view, ["n1"], changes("kernel.args-=a")) == {RACK: "nodes:\n  n1: {kernel: {args: [b]}}\n"}


def test_a_node_stays_when_all_its_entries_say_nothing_any_more() -> None:
    view = site("nodes:\n  n1: {image: a}\n", **{"nodes.d/z.yaml": "nodes:\n  n1: {image: b}\n"})

    after = view.after(unset_nodes(view, ["n1"], [parse_path("image")]))

    assert set(after.nodes()) == {"n1"}
    assert [text for file, text in after.contents.items() if file.startswith("nodes.d/")] == ["nodes:\n  n1: {}\n"]


def test_groups_of_a_shared_entry_are_taken_away_from_one_node() -> None:
    view = site("nodes:\n  n[1-2]: {groups: [compute]}\n")

    after = view.after(unset_nodes(view, ["n1"], [parse_path("groups")]))

    assert after.nodes()["n1"].groups == ()
    assert after.nodes()["n2"].groups == ("base", "compute")
    added = after.after(set_nodes(after, ["n1"], changes("groups+=base")))
    assert added.contents[RACK].endswith("n1: {~groups: , groups: [base]}\n")


def test_what_groups_of_groups_there_are_does_not_count_as_groups_to_unset() -> None:
    view = site("nodes:\n  n1: {image: a}\n")

    with pytest.raises(NotFoundError, match="nothing sets groups of n1"):
        unset_nodes(view, ["n1"], [parse_path("groups")], inherited=True)


def test_a_copy_keeps_what_its_source_starts_anew() -> None:
    view = site("nodes:\n  n[1-2]: {groups: [compute], tags: {row: a}}\n  n1: {~tags: , tags: {x: y}}\n")

    after = view.after(copy_node(view, "n1", ["c1"]))

    assert after.nodes()["c1"].tags == {"x": "y"}


def test_a_value_takes_the_place_of_a_mark_inside_a_map_that_starts_anew() -> None:
    view = site("nodes:\n  n1: {~tags: , tags: {~x: }}\n")

    assert set_nodes(view, ["n1"], changes("tags.x=z")) == {RACK: "nodes:\n  n1: {~tags: , tags: {x: z}}\n"}


def test_nodes_are_added_to_a_file_that_holds_a_comment_alone() -> None:
    view = MemoryView({NEW_NODES: "---\n# mine\n"})

    edited = add_nodes(view, ["n1"], [])

    assert edited == {NEW_NODES: "---\n# mine\nnodes:\n  n1: {}\n"}
    assert set(view.after(edited).nodes()) == {"n1"}
