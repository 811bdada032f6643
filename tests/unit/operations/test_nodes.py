"""Changes of nodes, from what is typed to what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, NotFoundError, ProvisionerError
from provisioner.operations import nodes
from provisioner.operations.change import Draft, Plan, commit, draft
from provisioner.operations.select import members_of
from provisioner.registry.view import SiteView
from tests.support.site import SITE, catalogue_of, write_site

NODES = """\
nodes:
  n[1-4]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}
  n1: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}
"""
FILE = "nodes.d/nodes.yaml"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {"provisioner.yaml": SITE, FILE: NODES, "groups.d/g.yaml": "groups: {g: {tags: {rack: r1}}}\n"}
    return write_site(tmp_path, files)


def worked_out(paths: Paths, plan: Plan) -> Draft:
    return draft(paths, catalogue_of("debian-12"), plan)


def written(paths: Paths, plan: Plan) -> str:
    """The file of nodes after a change."""
    commit(worked_out(paths, plan), command="x")
    return (paths.site / FILE).read_text()


def test_a_rack_is_added_and_one_node_gets_its_mac(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE})

    written(paths, nodes.add("n[001-004]", ["interfaces.eth0.ip=10.0.1.1+"]))

    assert written(paths, nodes.change("n001", ["interfaces.eth0.mac=52:54:00:00:00:01"])) == (
        "nodes:\n"
        "  n[001-004]: {interfaces: {eth0: {ip: 10.0.1.1+}}}\n"
        '  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}\n'
    )


def test_a_change_of_a_group_of_nodes_is_written_for_these(paths: Paths) -> None:
    text = written(paths, nodes.change("@g!n1", ["image=debian-12"], where=["!mac"]))

    assert text.endswith("  n[2-4]: {image: debian-12}\n")


def test_the_nodes_of_a_group_are_those_that_are_in_it_when_it_is_written(paths: Paths) -> None:
    plan = nodes.change("@g", ["image=debian-12"])
    worked_out(paths, plan)
    commit(worked_out(paths, nodes.add("n5", ["groups=g"])), command="x")

    assert written(paths, plan).endswith("  n[1-5]: {image: debian-12}\n")


def test_a_value_is_taken_away(paths: Paths) -> None:
    assert "mac" not in written(paths, nodes.unset("n1", ["interfaces.eth0.mac"]))
    with pytest.raises(NotFoundError, match=r"it comes from group g, groups\.d/g\.yaml:1"):
        worked_out(paths, nodes.unset("n1", ["tags.rack"]))
    assert "~rack" in written(paths, nodes.unset("n1", ["tags.rack"], inherited=True))


def test_nodes_are_deleted_out_of_a_range(paths: Paths) -> None:
    assert written(paths, nodes.delete("n[1-2]")) == (
        "nodes:\n  n[3-4]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}\n"
    )


def test_nodes_get_other_names_in_the_order_of_both_sets(paths: Paths) -> None:
    plan, renamed = nodes.rename("n[1-2]", "m[8-9]")

    assert renamed == {"m8": "n1", "m9": "n2"}
    assert sorted(worked_out(paths, plan).changed_nodes()) == ["m8", "m9", "n1", "n2"]


def test_names_that_are_not_as_many_are_refused() -> None:
    with pytest.raises(ProvisionerError, match=r"n\[1-2\] is 2 nodes, and m\[1-3\] is 3"):
        nodes.rename("n[1-2]", "m[1-3]")


def test_a_copy_has_no_mac(paths: Paths) -> None:
    assert written(paths, nodes.copy("n1", "n[5-6]")).endswith(
        "  n[5-6]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}\n"
    )


@pytest.mark.parametrize(
    "assignment", ["interfaces.eth0.mac=52:54:00:00:00:09", "bmc.mac=52:54:00:00:00:09", "serial=x", "asset=y"]
)
def test_what_tells_a_machine_is_for_one_node(paths: Paths, assignment: str) -> None:
    with pytest.raises(ProvisionerError, match=r"belongs to one node, and n\[1-2\] is 2"):
        worked_out(paths, nodes.change("n[1-2]", [assignment]))
    with pytest.raises(ProvisionerError, match=r"belongs to one node, and m\[1-2\] is 2"):
        nodes.add("m[1-2]", [assignment])


def test_a_tag_that_is_called_mac_is_for_many(paths: Paths) -> None:
    assert worked_out(paths, nodes.change("n[1-2]", ["tags.mac=many"])).files


def test_nothing_to_set_is_said() -> None:
    with pytest.raises(ProvisionerError, match="nothing to set"):
        nodes.change("n1", [])


def test_a_field_that_does_not_exist_is_told_before_anything_is_read() -> None:
    with pytest.raises(ProvisionerError, match="imagee"):
        nodes.add("n1", ["imagee=x"])


def test_a_node_that_exists_is_not_added_again(paths: Paths) -> None:
    with pytest.raises(ConflictError, match="n1 exists already"):
        worked_out(paths, nodes.add("n1", []))


def test_an_address_that_is_taken_is_refused_and_nothing_is_written(paths: Paths) -> None:
    with pytest.raises(ConfigError, match="belongs to n1 already"):
        worked_out(paths, nodes.add("n9", ["interfaces.eth0.ip=10.0.1.1"]))

    assert (paths.site / FILE).read_text() == NODES


def test_entries_go_to_an_editor_and_back(paths: Paths) -> None:
    text = nodes.entries(SiteView.of(paths), ["n1"])

    edited = written(paths, nodes.edited(["n1"], text.replace("00:01", "00:02")))

    assert edited == NODES.replace("00:01", "00:02")


def test_old_names_may_be_groups_and_wildcards(paths: Paths) -> None:
    view = SiteView.of(paths)
    plan, renamed = nodes.rename("n?&@g", "m[1-4]", members_of(view.published))

    assert renamed == {"m1": "n1", "m2": "n2", "m3": "n3", "m4": "n4"}
    assert "m[1-4]:" in written(paths, plan)


def test_the_source_of_a_copy_may_be_a_group_of_one_node(paths: Paths) -> None:
    assert "c9: {groups: [g]" in written(paths, nodes.copy("@g!n[2-4]", "c9"))
    with pytest.raises(ProvisionerError, match="@g is 5 nodes, and one is copied"):
        worked_out(paths, nodes.copy("@g", "c8"))
