"""Why a node has a value: all that was said, in order, and what won."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.image.store import catalogue
from provisioner.operations.why import Chain, why
from provisioner.registry.fieldpath import FieldError
from tests.support.bootable import bootable

GROUPS = """\
groups:
  base:
    image: old
    kernel: {args: [quiet, debug]}
    tags: {rack: r1, row: w1}
    bmc: {username: admin, password: hunter2}
  middle:
    groups: [base]
    kernel: {args: [~debug, console=tty0]}
    ~tags:
  top:
    groups: [middle]
    image: demo
    tags: {rack: r2}
"""
NODES = """\
nodes:
  n[1-3]:
    groups: [top]
    interfaces: {eth0: {ip: 10.0.1.1+}}
  n3: {interfaces: {eth0: {mac: "52:54:00:00:00:03"}}, kernel: {args: [single]}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path, {"groups.d/g.yaml": GROUPS, "nodes.d/n.yaml": NODES})


def chains(paths: Paths, field: str, node: str = "n3") -> dict[str, Chain]:
    return {chain.field: chain for chain in why(paths, catalogue(paths), node, field)}


def chain(paths: Paths, field: str) -> Chain:
    (only,) = why(paths, catalogue(paths), "n3", field)
    return only


def said(found: Chain) -> list[tuple[str, str, str, bool]]:
    return [(each.place, each.said, each.where, each.counts) for each in found.statements]


def test_a_value_shows_every_place_that_set_it_and_the_last_one_wins(paths: Paths) -> None:
    found = chain(paths, "image")

    assert found.value == "demo"
    assert said(found) == [
        ("group base", "= old", "groups.d/g.yaml:3", False),
        ("group top", "= demo", "groups.d/g.yaml:13", True),
    ]
    assert found.notes == ("demo means demo@1 today: Debian GNU/Linux 12, kernel 6.1.0-1-cloud-amd64",)


def test_a_list_shows_who_added_what_and_who_took_it_away(paths: Paths) -> None:
    found = chain(paths, "kernel.args")

    assert found.value == ["quiet", "console=tty0", "single"]
    assert said(found) == [
        ("group base", "+quiet +debug", "groups.d/g.yaml:4", True),
        ("group middle", "~debug +console=tty0", "groups.d/g.yaml:9", True),
        ("node n3", "+single", "nodes.d/n.yaml:5", True),
    ]


def test_a_group_tells_the_way_by_which_it_came(paths: Paths) -> None:
    found = chain(paths, "image")

    assert [each.via for each in found.statements] == ["middle via top", ""]


def test_what_removes_a_map_ends_what_weaker_places_said_of_its_keys(paths: Paths) -> None:
    found = chains(paths, "tags")

    assert found["tags.rack"].value == "r2"
    assert said(found["tags.rack"]) == [
        ("group base", "= r1", "groups.d/g.yaml:5", False),
        ("group middle", "removes tags", "groups.d/g.yaml:10", False),
        ("group top", "= r2", "groups.d/g.yaml:14", True),
    ]
    assert found["tags.row"].value is None


def test_a_default_is_a_place_too(paths: Paths) -> None:
    assert said(chain(paths, "script")) == [("default", "= boot", "", True)]


def test_an_address_tells_how_it_was_counted(paths: Paths) -> None:
    found = chain(paths, "ip")

    assert (found.field, found.value) == ("interfaces.eth0.ip", "10.0.1.3/16")
    assert found.notes[0] == "10.0.1.1+ counts: n3 has the number 3, so 10.0.1.1 + 2"


def test_a_field_may_be_the_start_of_several(paths: Paths) -> None:
    assert chains(paths, "interfaces.eth0").keys() == {"interfaces.eth0.ip", "interfaces.eth0.mac"}


def test_a_field_that_nobody_set_says_so(paths: Paths) -> None:
    found = chain(paths, "serial")

    assert (found.value, found.statements, found.notes) == (None, (), ("nobody set it, and it has no default",))


def test_groups_are_told_in_the_order_that_decides(paths: Paths) -> None:
    found = chain(paths, "groups")

    assert found.value == ["base", "middle", "top"]
    assert [(each.place, each.via, each.said, each.where) for each in found.statements] == [
        ("group base", "middle via top", "named by group middle", "groups.d/g.yaml:8"),
        ("group middle", "top", "named by group top", "groups.d/g.yaml:12"),
        ("group top", "", "named by node n[1-3]", "nodes.d/n.yaml:3"),
    ]


def test_a_boot_is_told_with_its_reason(paths: Paths) -> None:
    found = chains(paths, "boot")

    assert found["boot"].value == "demo@1"
    assert "n3 boots demo@1 (image set at groups.d/g.yaml:13 (group top))" in found["boot"].notes[0]
    assert chains(paths, "boot", "n1")["boot"].value == "no machine is this node"


def test_no_secret_is_told(paths: Paths) -> None:
    found = chains(paths, "bmc")

    assert found["bmc.password"].value == "********"
    assert "hunter2" not in str([each.record() for each in found.values()])


def test_an_unknown_field_is_an_error_that_points_and_suggests(paths: Paths) -> None:
    with pytest.raises(FieldError, match="there is no field 'agrs' of kernel") as caught:
        chain(paths, "kernel.agrs")

    assert caught.value.hint == "did you mean kernel.args?"


def test_an_unknown_node_is_an_error_with_the_nearest_name(paths: Paths) -> None:
    with pytest.raises(NotFoundError) as caught:
        chains(paths, "image", "n03")

    assert caught.value.hint == "did you mean n3?"


def test_a_chain_is_plain_data_for_programs(paths: Paths) -> None:
    record: dict[str, Any] = chain(paths, "script").record()

    assert record == {
        "field": "script",
        "value": "boot",
        "statements": [{"place": "default", "via": "", "said": "= boot", "where": "", "counts": True}],
        "notes": [],
    }


def test_what_a_group_says_that_was_taken_away_is_told_with_who_took_it(tmp_path: Path) -> None:
    nodes = NODES.replace("kernel: {args: [single]}", "groups: [~base]")
    paths = bootable(
        tmp_path / "other", {"groups.d/g.yaml": GROUPS.replace("    ~tags:\n", ""), "nodes.d/n.yaml": nodes}
    )

    (found,) = why(paths, catalogue(paths), "n3", "tags.row")
    (groups,) = why(paths, catalogue(paths), "n3", "groups")

    assert (found.value, said(found)) == (None, [("node n3", "removes base", "nodes.d/n.yaml:5", True)])
    assert found.notes == ("group base says = w1 (groups.d/g.yaml:5), but node n3 removes base",)
    assert ("node n3", "removes base", "nodes.d/n.yaml:5", True) in said(groups)


def test_a_value_that_another_place_gives_does_not_rest_on_the_removal(tmp_path: Path) -> None:
    nodes = NODES.replace("kernel: {args: [single]}", "groups: [~base]")
    paths = bootable(tmp_path / "other", {"groups.d/g.yaml": GROUPS, "nodes.d/n.yaml": nodes})

    found = chains(paths, "image")["image"]

    assert found.value == "demo"
    assert [each.counts for each in found.statements if each.said == "removes base"] == [False]
    assert "group base says = old (groups.d/g.yaml:3), but node n3 removes base" in found.notes


def test_a_node_that_is_not_found_in_a_site_with_mistakes_is_told_so(tmp_path: Path) -> None:
    paths = bootable(tmp_path / "other", {"nodes.d/z.yaml": "nodes: {n9: {\n"})

    with pytest.raises(NotFoundError, match="there is no node n9; the site has 1 problem, see prov check"):
        why(paths, catalogue(paths), "n9", "image")
