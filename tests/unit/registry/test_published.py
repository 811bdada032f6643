"""Reading a snapshot row by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.registry.compiler import current
from provisioner.registry.published import GroupRow, Published
from tests.support.site import SITE, examined, write_site

FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": (
        "groups:\n  base: {tags: {site: ü}}\n  compute: {groups: [base], image: debian-12}\n  empty: {}\n"
    ),
    "nodes.d/a.yaml": (
        "nodes:\n"
        "  n[1-3]: {groups: [compute], tags: {rack: r1}, interfaces: {eth0: {ip: 10.0.1.1+}}}\n"
        "  n1: {interfaces: {eth0: {mac: '52:54:00:00:00:0a'}}}\n"
    ),
    "nodes.d/b.yaml": (
        "nodes:\n  n3: {tags: {rack: r2}, resources: {gpus: 4}, serial: X1}\n  n4: {bmc: {password: x}}\n"
    ),
}


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return current(write_site(tmp_path, FILES))


def test_nodes_are_what_the_files_mean_and_know_where_their_image_is_written(published: Published) -> None:
    loaded = examined({name: text for name, text in FILES.items() if name != "provisioner.yaml"}).loaded
    assert loaded is not None

    found = published.nodes()

    assert published.names() == tuple(found) == ("n1", "n2", "n3", "n4")
    for node in loaded.nodes:
        assert found[node.name].model_dump(exclude={"provenance"}) == node.model_dump(exclude={"provenance"})
    assert {name: str(node.provenance["image"][0]) for name, node in found.items() if node.image} == dict.fromkeys(
        ("n1", "n2", "n3"), "groups.d/g.yaml:3 (group compute)"
    )


def test_records_are_the_plain_data_of_nodes_in_the_order_of_their_fields(published: Published) -> None:
    dumped = {
        name: node.model_dump(mode="json", exclude={"provenance"}) for name, node in published.nodes().items()
    }

    assert {record["name"]: record for record in published.records()} == dumped
    assert [list(record) for record in published.records(["n3", "n1", "nobody"])] == [list(dumped["n1"])] * 2


def test_one_node_is_read_alone_and_one_that_is_not_there_is_none(published: Published) -> None:
    node = published.node("n3")

    assert node is not None
    assert (node.tags["rack"], node.resources, str(node.interfaces[0].ip)) == ("r2", {"gpus": 4}, "10.0.1.3/16")
    assert published.node("n9") is None
    assert list(published.nodes(["n9", "n2"])) == ["n2"]


def test_members_of_a_group_include_those_that_inherit_it(published: Published) -> None:
    assert published.members("base") == published.members("compute") == ("n1", "n2", "n3")
    assert published.members("empty") == ()
    with pytest.raises(LookupError, match="there is no group nobody"):
        published.members("nobody")


def test_nodes_are_found_by_the_value_of_a_tag(published: Published) -> None:
    assert published.tagged("rack", "r1") == ("n1", "n2")
    assert published.tagged("site", "ü") == ("n1", "n2", "n3")
    assert published.tagged("rack", "r9") == ()


def test_groups_are_listed_with_their_place_and_the_number_of_their_nodes(published: Published) -> None:
    assert published.groups() == (
        GroupRow("base", "groups.d/g.yaml", 2, (), None, 3),
        GroupRow("compute", "groups.d/g.yaml", 3, ("base",), "debian-12", 3),
        GroupRow("empty", "groups.d/g.yaml", 4, (), None, 0),
    )


def test_the_files_that_name_a_node_are_known(published: Published) -> None:
    assert published.files_of(["n3"]) == ("nodes.d/a.yaml", "nodes.d/b.yaml")
    assert published.files_of(["n1", "n4"]) == ("nodes.d/a.yaml", "nodes.d/b.yaml")
    assert published.written_names() == {"n1", "n2", "n3", "n4"}


def test_of_a_site_that_cannot_be_used_the_mistakes_are_told_and_no_nodes(tmp_path: Path) -> None:
    broken = current(write_site(tmp_path, {**FILES, "provisioner.yaml": "cluster: x\n"}))

    assert (broken.names(), broken.site(), broken.usable) == ((), None, False)
    assert broken.written_names() == {"n1", "n2", "n3", "n4"}
    assert [problem.message for problem in broken.problems()] == ["the key 'networks' is missing"]
