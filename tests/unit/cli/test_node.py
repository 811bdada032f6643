"""`prov node`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.node import command
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError
from tests.support.site import SITE, write_site

NODES = """\
nodes:
  n[001-002]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}
  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/nodes.yaml": NODES,
        "groups.d/g.yaml": "groups: {g: {tags: {rack: r1}}}\n",
    }
    return write_site(tmp_path, files)


def prov(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(command, list(words), obj=paths)


def test_nodes_are_listed_with_their_boot_interface(paths: Paths) -> None:
    assert prov(paths, "list").output == (
        "NAME  GROUPS  IMAGE  INTERFACE  MAC                IP\n"
        "n001  g       -      eth0       52:54:00:00:00:01  10.0.1.1\n"
        "n002  g       -      eth0       -                  10.0.1.2\n"
    )


def test_a_list_for_programs_is_json(paths: Paths) -> None:
    rows = json.loads(prov(paths, "list", "--format", "json").stdout)

    assert [(row["name"], row["ip"], row["tags"]) for row in rows] == [
        ("n001", "10.0.1.1", {"rack": "r1"}),
        ("n002", "10.0.1.2", {"rack": "r1"}),
    ]


def test_a_node_is_shown_with_the_place_of_every_value(paths: Paths) -> None:
    lines = prov(paths, "show", "n001").output.splitlines()

    fields = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert fields["tags.rack"] == ["r1", "groups.d/g.yaml:1 (group g)"]
    assert fields["interfaces.eth0.ip"] == ["10.0.1.1/16", "nodes.d/nodes.yaml:2 (node n[001-002])"]
    assert fields["interfaces.eth0.mac"] == ["52:54:00:00:00:01", "nodes.d/nodes.yaml:3 (node n001)"]
    assert fields["script"] == ["boot", "default"]


def test_a_node_for_programs_has_its_provenance(paths: Paths) -> None:
    record = json.loads(prov(paths, "show", "n001", "--format", "json").stdout)

    assert record["interfaces"][0]["ip"] == "10.0.1.1/16"
    assert record["provenance"]["tags.rack"] == ["groups.d/g.yaml:1 (group g)"]


def test_nodes_are_added_changed_and_deleted(paths: Paths) -> None:
    assert (
        prov(paths, "add", "n[003-004]", "--group", "g", "--ip", "10.0.1.1+").output
        == "wrote nodes.d/nodes.yaml\n"
    )
    assert prov(paths, "set", "n004", "--tag", "rack=r2", "--kernel-arg", "quiet").exit_code == 0
    assert prov(paths, "delete", "n[001-002]").exit_code == 0

    assert (paths.node_files / "nodes.yaml").read_text() == (
        "nodes:\n"
        "  n[003-004]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}\n"
        "  n004: {kernel: {args: [quiet]}, tags: {rack: r2}}\n"
    )


def test_errors_come_through_to_the_one_place_that_prints_them(paths: Paths) -> None:
    assert isinstance(prov(paths, "add", "n001").exception, ConflictError)
    assert isinstance(prov(paths, "show", "n9").exception, NotFoundError)


def test_a_tag_without_a_value_is_a_wrong_call(paths: Paths) -> None:
    result = prov(paths, "set", "n001", "--tag", "rack")

    assert result.exit_code == 2
    assert "not KEY=VALUE" in result.stderr


def test_a_site_with_a_mistake_is_listed_with_a_warning(paths: Paths) -> None:
    (paths.node_files / "z.yaml").write_text("nodes: {n9: {image: x}}\n")

    result = prov(paths, "list")

    assert "n9" in result.stdout
    assert result.stderr == "warning: 1 problem in the site; see prov check\n"
