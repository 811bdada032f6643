"""What a change does, field by field, and who gets the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from provisioner.operations.change import draft
from provisioner.operations.difference import MOST_DISTINCT, Difference
from tests.support.site import SITE, catalogue_of, write_site

NODES = """\
nodes:
  n[1-4]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}
"""
FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": "groups: {g: {tags: {rack: r1}}}\n",
    "nodes.d/n.yaml": NODES,
}


def differences(
    root: Path, new: Mapping[str, str | None], renamed: Mapping[str, str] | None = None
) -> tuple[Difference, ...]:
    """What writing these files does to the site above."""
    paths = write_site(root, FILES)
    return draft(paths, catalogue_of("debian-12"), lambda _: new, renamed).differences


def fields(each: Difference) -> dict[str, tuple[Any, Any]]:
    """Field by field what it is before and after."""
    return {change.path: (change.before.plain(), change.after.plain()) for change in each.changes}


def test_nodes_that_get_the_same_stand_together(tmp_path: Path) -> None:
    (nodes,) = differences(tmp_path, {"nodes.d/n.yaml": NODES + "  n[2-3]: {tags: {rack: r2, x: y}}\n"})

    assert (nodes.kind, nodes.folded, len(nodes.names)) == ("changed", "n[2-3]", 2)
    assert fields(nodes) == {"tags.rack": ("r1", "r2"), "tags.x": (None, "y")}


def test_the_same_change_is_one_whatever_the_nodes_had_before(tmp_path: Path) -> None:
    text = NODES + "  n1: {tags: {x: a}, kernel: {args: [quiet]}}\n  n2: {tags: {x: b}}\n"
    paths = write_site(tmp_path, {**FILES, "nodes.d/n.yaml": text})
    more = text + "  n[1-2]: {tags: {x: c}, kernel: {args: [splash]}}\n"

    (nodes,) = draft(paths, catalogue_of(), lambda _: {"nodes.d/n.yaml": more}).differences

    assert nodes.folded == "n[1-2]"
    assert fields(nodes)["tags.x"] == ({"first": "a", "last": "b", "values": 2}, "c")
    assert [(each.added, each.removed) for each in nodes.changes if each.path == "kernel.args"] == [
        (("splash",), ())
    ]


def test_what_counts_is_the_same_change_on_every_node(tmp_path: Path) -> None:
    (nodes,) = differences(tmp_path, {"nodes.d/n.yaml": NODES.replace("10.0.1.1+", "10.0.2.1+")})

    assert nodes.folded == "n[1-4]"
    assert fields(nodes)["interfaces.eth0.ip"] == (
        {"first": "10.0.1.1/16", "last": "10.0.1.4/16", "values": 4},
        {"first": "10.0.2.1/16", "last": "10.0.2.4/16", "values": 4},
    )


def test_nodes_of_one_set_that_get_different_things_stand_apart(tmp_path: Path) -> None:
    text = NODES + "  n1: {tags: {rack: r2}}\n  n2: {tags: {rack: r3}}\n"

    assert [each.folded for each in differences(tmp_path, {"nodes.d/n.yaml": text})] == ["n1", "n2"]


def test_too_many_different_values_are_told_by_the_first_and_the_last(tmp_path: Path) -> None:
    count = MOST_DISTINCT + 5
    text = "".join(f"  m{number}: {{tags: {{place: p{number}}}}}\n" for number in range(1, count + 1))

    (nodes,) = differences(tmp_path, {"nodes.d/m.yaml": f"nodes:\n{text}"})

    assert nodes.folded == f"m[1-{count}]"
    assert fields(nodes) == {"tags.place": (None, {"first": "p1", "last": f"p{count}", "values": count})}


def test_a_new_node_shows_what_was_said_of_it_and_no_defaults(tmp_path: Path) -> None:
    text = "nodes: {m1: {image: debian-12, interfaces: {eth0: {ip: 10.0.9.9}}}}\n"

    (nodes,) = differences(tmp_path, {"nodes.d/m.yaml": text})

    assert (nodes.kind, nodes.folded) == ("new", "m1")
    assert set(fields(nodes)) == {"image", "interfaces.eth0.ip", "interfaces.eth0.network"}


def test_a_deleted_node_is_named(tmp_path: Path) -> None:
    (nodes,) = differences(tmp_path, {"nodes.d/n.yaml": None})

    assert (nodes.kind, nodes.folded, nodes.changes) == ("deleted", "n[1-4]", ())


def test_a_renamed_node_shows_what_becomes_of_its_address(tmp_path: Path) -> None:
    text = NODES.replace("n[1-4]", "n[1-3,9]")

    (nodes,) = differences(tmp_path, {"nodes.d/n.yaml": text}, {"n9": "n4"})

    assert (nodes.kind, nodes.old, nodes.names) == ("renamed", ("n4",), ("n9",))
    assert fields(nodes) == {"interfaces.eth0.ip": ("10.0.1.4/16", "10.0.1.9/16")}
    assert nodes.record()["before"] == "n4"


def test_two_nodes_can_exchange_their_names(tmp_path: Path) -> None:
    text = NODES + "  n1: {tags: {x: y}}\n"

    found = differences(tmp_path, {"nodes.d/n.yaml": text}, {"n1": "n2", "n2": "n1"})

    assert [(each.kind, each.old, each.names) for each in found] == [
        ("renamed", ("n2",), ("n1",)),
        ("renamed", ("n1",), ("n2",)),
    ]
    assert fields(found[0])["tags.x"] == (None, "y")
    assert fields(found[1]) == {"interfaces.eth0.ip": ("10.0.1.1/16", "10.0.1.2/16")}


def test_a_group_is_compared_as_it_is_written_and_its_nodes_as_they_become(tmp_path: Path) -> None:
    text = "groups: {g: {~tags: , kernel: {args: [quiet]}}, h: {image: debian-12}}\n"

    group, new, nodes = differences(tmp_path, {"groups.d/g.yaml": text})

    assert (group.what, group.folded, group.kind) == ("group", "g", "changed")
    assert fields(group) == {
        "tags.rack": ("r1", None),
        "~tags": (None, "removed"),
        "kernel.args": (None, ["quiet"]),
    }
    assert (new.what, new.folded, new.kind) == ("group", "h", "new")
    assert (nodes.what, nodes.folded) == ("node", "n[1-4]")
    assert fields(nodes) == {"tags.rack": ("r1", None), "kernel.args": ([], ["quiet"])}


def test_a_deleted_group_is_named(tmp_path: Path) -> None:
    texts = {"groups.d/g.yaml": None, "nodes.d/n.yaml": NODES.replace("groups: [g], ", "")}

    group, nodes = differences(tmp_path, texts)

    assert (group.kind, group.folded) == ("deleted", "g")
    assert fields(nodes) == {"groups": (["g"], []), "tags.rack": ("r1", None)}


def test_a_group_with_another_name_is_renamed(tmp_path: Path) -> None:
    texts = {"groups.d/g.yaml": "groups: {h: {tags: {rack: r1}}}\n", "nodes.d/n.yaml": NODES.replace("[g]", "[h]")}

    group, nodes = differences(tmp_path, texts)

    assert (group.kind, group.old, group.names) == ("renamed", ("g",), ("h",))
    assert fields(nodes) == {"groups": (["g"], ["h"])}


def test_a_group_that_could_have_become_two_is_deleted(tmp_path: Path) -> None:
    texts = {"groups.d/g.yaml": "groups: {h: {tags: {rack: r1}}, i: {tags: {rack: r1}}}\n"}
    found = differences(tmp_path, {**texts, "nodes.d/n.yaml": NODES.replace("[g]", "[h]")})

    assert [(each.kind, each.folded) for each in found if each.what == "group"] == [
        ("deleted", "g"),
        ("new", "h"),
        ("new", "i"),
    ]


def test_the_site_is_compared_too(tmp_path: Path) -> None:
    site, nodes = differences(tmp_path, {"provisioner.yaml": SITE.replace("10.0.0.1,", "10.0.0.1, mtu: 9000,")})

    assert fields(site) == {"networks.provision.mtu": (None, 9000)}
    assert fields(nodes) == {"interfaces.eth0.mtu": (None, 9000)}


@pytest.mark.parametrize("file", ["nodes.d/n.yaml", "groups.d/g.yaml"])
def test_a_password_is_never_in_a_difference(tmp_path: Path, file: str) -> None:
    text = (
        FILES[file]
        .replace("{groups: [g],", "{bmc: {password: open},")
        .replace("{tags", "{bmc: {password: open}, tags")
    )

    found = differences(tmp_path, {file: text})

    assert any(fields(each).get("bmc.password") == (None, "********") for each in found)
    assert "open" not in str(found)


def test_what_only_looks_different_is_no_difference(tmp_path: Path) -> None:
    assert differences(tmp_path, {"nodes.d/n.yaml": f"# By hand.\n{NODES}"}) == ()


def test_lists_that_a_new_device_leaves_empty_are_no_difference(tmp_path: Path) -> None:
    text = f"{NODES}  n1: {{interfaces: {{ib0: {{network: provision}}}}}}\n"

    (found,) = differences(tmp_path, {"nodes.d/n.yaml": text})

    assert fields(found)["interfaces.ib0.network"] == (None, "provision")
    assert not [each for each in fields(found).values() if [] in each]
