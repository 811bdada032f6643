"""Rows of many nodes, and everything about one."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError
from provisioner.operations.listing import details, groups, resolved, rows
from provisioner.registry.compiler import current
from tests.support.site import SITE, write_site

FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": "groups: {base: {tags: {rack: r1}}, g: {groups: [base]}, none: }\n",
    "nodes.d/n.yaml": """\
nodes:
  n[9-10]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}
  n9: {bmc: {password: open}}
""",
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, FILES)


def test_rows_have_the_fields_by_their_paths_and_always_the_name(paths: Paths) -> None:
    with current(paths) as published:
        found = rows(published, ["n9", "n10", "gone"], ["tags.rack", "ip", "bmc.password"])

    assert found == [
        {"name": "n9", "tags.rack": "r1", "ip": "10.0.1.9", "bmc.password": "********"},
        {"name": "n10", "tags.rack": "r1", "ip": "10.0.1.10", "bmc.password": None},
    ]


def test_groups_count_the_nodes_that_inherit_them_too(paths: Paths) -> None:
    with current(paths) as published:
        assert [(row["name"], row["groups"], row["count"]) for row in groups(published)] == [
            ("base", [], 2),
            ("g", ["base"], 2),
            ("none", [], 0),
        ]


def test_details_name_the_places_the_strongest_first(paths: Paths) -> None:
    record, places = details(paths, "n9")

    assert (record["interfaces"]["eth0"]["ip"], record["bmc"]["password"]) == ("10.0.1.9/16", "********")
    assert places["tags.rack"] == ["groups.d/g.yaml:1 (group base)"]
    assert details(paths, "n9", secrets=True)[0]["bmc"]["password"] == "open"
    with pytest.raises(NotFoundError, match="there is no node n1"):
        details(paths, "n1")


def test_whole_nodes_have_no_secrets(paths: Paths) -> None:
    with current(paths) as published:
        assert [each["bmc"] and each["bmc"]["password"] for each in resolved(published, None)] == [
            None,
            "********",
        ]


def test_a_site_with_a_mistake_can_be_looked_at_and_a_folder_that_is_none_cannot(tmp_path: Path) -> None:
    broken = write_site(tmp_path / "broken", {**FILES, "nodes.d/z.yaml": "nodes: {n1: {image: x, bogus: y}}\n"})
    with current(broken) as published:
        assert len(rows(published, None, ["name"])) == 3

    with current(write_site(tmp_path / "none", {})) as published, pytest.raises(ConfigError, match="no site here"):
        rows(published, None, ["name"])
