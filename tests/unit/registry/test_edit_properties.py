"""What holds for every edit of every site: others stay as they are, comments stay, what was asked for is so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from provisioner.config import emit
from provisioner.errors import ConflictError, NotFoundError
from provisioner.model.nodeset import expand, fold
from provisioner.model.resolved import ResolvedNode
from provisioner.registry.applied import apply_documents
from provisioner.registry.export import export_groups, export_nodes
from provisioner.registry.field import Assignment, parse_assignment, parse_path
from provisioner.registry.manuscript import Texts
from provisioner.registry.nodeedits import copy_node, delete_nodes, rename_nodes, set_nodes, unset_nodes
from tests.support.view import MemoryView

NAMES = ("n1", "n2", "n3", "n4")
GROUPS = (
    "groups:\n  a: {image: ga, kernel: {args: [p, q]}, tags: {x: ga, y: ga}}\n"
    "  b: {groups: [a], script: gb, tags: {~y: , z: gb}, resources: {r: {s: 1}}}\n"
)
FIELDS = {
    "image: ": ["one", "two"],
    "script: ": ["boot"],
    "groups: ": ["[a]", "[b]", "[b, ~a]"],
    "~groups: ": [""],
    "kernel: ": [
        "{args: [q, r]}",
        "{args: [~p]}",
        "{~args: }",
        "{args: [s, p], ~args: }",
        "{args: [p, ~q, q, ~q]}",
    ],
    "tags: ": ["{x: own}", "{~x: }", "{}"],
    "~tags: ": [""],
    "resources: ": ["{r: {t: '2'}}", "{r: 3, u: [1, b]}", "{r: {s: 4}, ~r: }", "{r: {~s: }}"],
    "interfaces: ": ["{eth0: {ip: 10.0.1.1+}}", "{eth0: }", "{eth0: {mtu: 9000}, eth1: {ip: 10.0.2.1+}}"],
}
ASSIGNMENTS = (
    "image=three",
    "script=other",
    "kernel.args=[s]",
    "kernel.args+=q",
    "kernel.args-=p",
    "kernel.args+=~q",
    "groups+=b",
    "groups-=a",
    "tags.x=new",
    "tags.x=",
    "tags.w=new",
    "resources.r.s=5",
    "interfaces.eth0.mtu=1500",
)
PATHS = (
    "image",
    "kernel.args",
    "tags",
    "tags.x",
    "resources.r",
    "interfaces.eth0",
    "interfaces.eth0.mtu",
    "groups",
)

node_sets = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(sorted)


@st.composite
def entries(draw: st.DrawFn, key: str, comment: str, newline: str) -> str:
    """One entry, on a line or on several, with comments."""
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True))
    fields = [name + draw(st.sampled_from(FIELDS[name])) for name in names]
    above = f"  # above {comment}{newline}" if draw(st.booleans()) else ""
    if draw(st.booleans()) or not fields:
        return f"{above}  {emit.key(key)}: {{{', '.join(fields)}}}   # at {comment}{newline}"
    lines = "".join(f"    {each}   # in {comment}{newline}" for each in fields)
    return f"{above}  {emit.key(key)}:{newline}{lines}"


@st.composite
def views(draw: st.DrawFn) -> MemoryView:
    """A site of up to four nodes in two files; all nodes exist."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    files = {"groups.d/g.yaml": GROUPS}
    for file in ("nodes.d/a.yaml", "nodes.d/b.yaml"):
        keys = dict.fromkeys(fold(each) for each in draw(st.lists(node_sets, max_size=4)))
        texts = [draw(entries(key, f"{file} {key}", newline)) for key in keys]
        files[file] = f"# top of {file}{newline}nodes:{newline}{''.join(texts)}# end of {file}{newline}"
    files["nodes.d/0.yaml"] = f"nodes:\n  {fold(NAMES)}: {{}}\n"
    return MemoryView(files)


def others(view: MemoryView, names: Sequence[str]) -> dict[str, ResolvedNode]:
    return {name: node for name, node in view.nodes().items() if name not in names}


def comments(view: MemoryView) -> list[str]:
    return sorted(re.findall(r"# (?:top|end|above).*", "\n".join(view.contents.values())))


def edited(view: MemoryView, texts: Texts) -> MemoryView:
    after = view.after(texts)
    assert comments(after) == comments(view)
    assert not [each for each in after.examined.problems if re.search("YAML|is already at", each.message)]
    return after


@settings(deadline=None)
@given(views(), node_sets, st.sampled_from(ASSIGNMENTS))
def test_what_is_set_is_so_and_nothing_else_changes(view: MemoryView, names: list[str], text: str) -> None:
    change = parse_assignment(text)
    try:
        after = edited(view, set_nodes(view, names, [change]))
    except (ConflictError, NotFoundError):
        return

    assert others(after, names) == others(view, names)
    for name in names:
        assert_done(after.nodes()[name], change)


def assert_done(node: ResolvedNode, change: Assignment) -> None:
    values = {
        "image": node.image,
        "script": node.script,
        "kernel.args": node.kernel_args,
        "groups": node.groups,
        **{f"tags.{key}": value for key, value in node.tags.items()},
        "resources.r.s": node.resources.get("r", {}).get("s")
        if isinstance(node.resources.get("r"), dict)
        else None,
        **{f"interfaces.{each.name}.mtu": each.mtu for each in node.interfaces},
    }
    found: Any = values[".".join(change.path)]
    wanted: Any = change.value
    if change.operator == "-=":
        assert not set(wanted).intersection(found)
    elif wanted == ["~q"]:
        assert "q" not in found
    elif isinstance(wanted, list):
        assert set(wanted) <= set(found)
    else:
        assert str(found) == str(wanted)


@settings(deadline=None)
@given(views(), node_sets, st.sampled_from(ASSIGNMENTS))
def test_setting_twice_is_setting_once(view: MemoryView, names: list[str], text: str) -> None:
    change = parse_assignment(text)
    assume(change.operator != "-=")
    try:
        after = edited(view, set_nodes(view, names, [change]))
    except (ConflictError, NotFoundError):
        return

    assert set_nodes(after, names, [change]) == {}


@settings(deadline=None)
@given(views(), node_sets, st.sampled_from(["comment=x", "tags.new=x", "bmc.port=623", "disks./dev/sda.wipe=yes"]))
def test_unsetting_what_was_set_gives_the_nodes_back(view: MemoryView, names: list[str], text: str) -> None:
    change = parse_assignment(text)

    try:
        after = edited(view, set_nodes(view, names, [change]))
    except ConflictError:
        # Their own entry stands before one that names others too and says more: people have to decide.
        return
    back = edited(after, unset_nodes(after, names, [change.path]))

    assert back.nodes() == view.nodes()
    if not any(set(entry.names) == set(names) for entry in view.examined.entries):
        assert back.contents == view.contents


@settings(deadline=None)
@given(views(), node_sets, st.sampled_from(PATHS), st.booleans())
def test_what_is_unset_is_gone_and_nothing_else_changes(
    view: MemoryView, names: list[str], text: str, inherited: bool
) -> None:
    path = parse_path(text)
    try:
        after = edited(view, unset_nodes(view, names, [path], inherited=inherited))
    except (ConflictError, NotFoundError):
        return

    assert others(after, names) == others(view, names)
    assert set(after.nodes()) == set(view.nodes())
    for name in names:
        if inherited and text == "image":
            assert after.nodes()[name].image is None
        if inherited and text == "tags":
            assert after.nodes()[name].tags == {}
        if inherited and text == "kernel.args":
            assert after.nodes()[name].kernel_args == ()
        if inherited and text == "resources.r":
            assert "r" not in after.nodes()[name].resources
        if text == "groups":
            assert after.nodes()[name].groups == ()


@settings(deadline=None)
@given(views(), node_sets)
def test_deleted_nodes_are_gone_and_nothing_else_changes(view: MemoryView, names: list[str]) -> None:
    after = edited(view, delete_nodes(view, names))

    assert after.nodes() == others(view, names)


@settings(deadline=None)
@given(views(), node_sets)
def test_renaming_there_and_back_gives_the_same_nodes(view: MemoryView, names: list[str]) -> None:
    there = {name: f"m{name}" for name in names}

    after = edited(view, rename_nodes(view, there))
    back = edited(after, rename_nodes(after, {new: old for old, new in there.items()}))

    assert others(after, list(there.values())) == others(view, names)
    for old, new in there.items():
        assert after.nodes()[new].model_copy(update={"name": old}) == view.nodes()[old]
    assert back.nodes() == view.nodes()


@settings(deadline=None)
@given(views(), st.permutations(NAMES))
def test_nodes_can_change_places(view: MemoryView, places: list[str]) -> None:
    after = edited(view, rename_nodes(view, dict(zip(NAMES, places, strict=True))))

    for old, new in zip(NAMES, places, strict=True):
        assert after.nodes()[new].tags == view.nodes()[old].tags
        assert after.nodes()[new].image == view.nodes()[old].image


@settings(deadline=None)
@given(views())
def test_a_copy_is_like_its_source(view: MemoryView) -> None:
    after = edited(view, copy_node(view, "n1", ["c1"]))

    assert after.nodes()["c1"].model_copy(update={"name": "n1"}) == view.nodes()["n1"]
    assert others(after, ["c1"]) == view.nodes()


@settings(deadline=None)
@given(views(), node_sets)
def test_an_exported_node_is_the_same_on_an_empty_site(view: MemoryView, names: list[str]) -> None:
    empty = MemoryView({})
    documents = [("g", export_groups(view, view.groups)), ("n", export_nodes(view, names))]

    after = empty.after(apply_documents(empty, documents, expand))

    assert after.nodes() == {name: view.nodes()[name] for name in names}


def test_an_item_that_comes_again_behind_a_mark_is_not_said_to_be_gone() -> None:
    """A later entry starts its list anew, and a group that it names brings the item."""
    files = {
        "groups.d/g.yaml": "groups:\n  a: {image: ga}\n  b: {groups: [a]}\n",
        "nodes.d/n.yaml": "nodes:\n  n1: {}\n  n[1-2]:\n    ~groups:\n    groups: [b]\n",
    }

    with pytest.raises(ConflictError, match=r"says more about n1 than its own entry"):
        set_nodes(MemoryView(files), ["n1"], [parse_assignment("groups-=a")])
