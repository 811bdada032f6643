"""`prov node`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from provisioner.cli.node import command
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from tests.support.site import SITE, write_site

NODES = """\
nodes:
  n[001-002]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}
  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}, bmc: {password: open}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/nodes.yaml": NODES,
        "groups.d/g.yaml": "groups: {g: {tags: {rack: r1}}}\n",
    }
    return write_site(tmp_path, files)


def prov(paths: Paths, *words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(command, list(words), obj=paths, input=text)


def written(paths: Paths) -> str:
    return (paths.node_files / "nodes.yaml").read_text()


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


def test_a_list_is_narrowed_and_shows_what_is_asked_for(paths: Paths) -> None:
    shown = prov(
        paths, "ls", "@g!n001", "--where", "!mac", "--fields", "name,tags.rack,interfaces.eth0.ip,bmc.password"
    )

    assert (
        shown.output
        == "NAME  TAGS.RACK  INTERFACES.ETH0.IP  BMC.PASSWORD\nn002  r1         10.0.1.2/16         -\n"
    )


def test_a_list_for_programs_has_the_fields_by_their_paths(paths: Paths) -> None:
    shown = prov(paths, "list", "n001", "--fields", "tags.rack,bmc.password", "--format", "yaml")

    assert yaml.safe_load(shown.stdout) == [{"name": "n001", "tags.rack": "r1", "bmc.password": "********"}]


def test_a_field_that_no_node_has_is_an_error_with_a_suggestion(paths: Paths) -> None:
    error = prov(paths, "list", "--fields", "name,imag").exception

    assert isinstance(error, ProvisionerError)
    assert (error.message, error.hint) == ("a node has no field 'imag'", "did you mean image?")


def test_a_node_is_shown_with_the_place_of_every_value(paths: Paths) -> None:
    lines = prov(paths, "show", "n001").output.splitlines()

    fields = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert fields["tags.rack"] == ["r1", "groups.d/g.yaml:1 (group g)"]
    assert fields["interfaces.eth0.ip"] == ["10.0.1.1/16", "nodes.d/nodes.yaml:2 (node n[001-002])"]
    assert fields["interfaces.eth0.mac"] == ["52:54:00:00:00:01", "nodes.d/nodes.yaml:3 (node n001)"]
    assert fields["script"] == ["boot", "default"]
    assert fields["image"] == ["-", "default"]
    assert fields["bmc.password"][0] == "********"


def test_a_node_for_programs_is_nested_as_it_is_written_and_has_its_provenance(paths: Paths) -> None:
    record = json.loads(prov(paths, "show", "n001", "--format", "json").stdout)

    assert record["name"] == "n001"
    assert record["interfaces"]["eth0"]["ip"] == "10.0.1.1/16"
    assert record["provenance"]["tags.rack"] == ["groups.d/g.yaml:1 (group g)"]
    assert record["bmc"]["password"] == "********"


def test_a_password_is_shown_to_whoever_asks_for_it(paths: Paths) -> None:
    assert " open " in prov(paths, "show", "n001", "--secrets").output


def test_nodes_are_added_changed_and_deleted(paths: Paths) -> None:
    added = prov(paths, "add", "n[003-004]", "--group", "g", "--ip", "10.0.1.1+", "--yes")
    assert added.output.splitlines()[-2:] == ["wrote nodes.d/nodes.yaml", "undo with: prov undo 1"]
    assert prov(paths, "set", "n004", "--tag", "rack=r2", "kernel.args+=quiet", "-y").exit_code == 0
    assert prov(paths, "unset", "n004", "tags.rack", "-y").exit_code == 0
    assert prov(paths, "rm", "n[001-002]", "-y").exit_code == 0

    assert written(paths) == (
        "nodes:\n"
        "  n[003-004]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}\n"
        "  n004: {kernel: {args: [quiet]}}\n"
    )


def test_the_usual_short_names_work(paths: Paths) -> None:
    assert prov(paths, "create", "n003", "-y").exit_code == 0
    assert prov(paths, "cp", "n003", "n004", "-y").exit_code == 0
    assert prov(paths, "mv", "n004", "n005", "-y").output.startswith("rename n004 -> n005 (1 node)\n")
    assert prov(paths, "ls", "n[003-005]!n004").exit_code == 0


def test_an_export_is_what_an_import_takes(paths: Paths, tmp_path: Path) -> None:
    exported = prov(paths, "export", "n001").stdout
    assert prov(paths, "delete", "n001", "-y").exit_code == 0

    assert prov(paths, "import", "-", "-y", text=exported).exit_code == 0

    record = json.loads(prov(paths, "show", "n001", "--format", "json").stdout)
    assert (record["interfaces"]["eth0"]["mac"], record["tags"]) == ("52:54:00:00:00:01", {"rack": "r1"})


def test_an_export_of_what_nodes_become_is_data_without_secrets(paths: Paths) -> None:
    shown = prov(paths, "export", "n001", "--resolved").stdout

    (record,) = yaml.safe_load(shown)["nodes"]
    assert (record["name"], record["tags"], record["bmc"]["password"]) == ("n001", {"rack": "r1"}, "********")


def test_an_import_of_nodes_takes_nothing_else(paths: Paths) -> None:
    error = prov(paths, "import", "-", "-y", text="nodes: {n9: }\ngroups: {x: }\n").exception

    assert str(error).startswith("<stdin>:2:1: 'groups' is not for this command, which takes nodes only")


def test_errors_come_through_to_the_one_place_that_prints_them(paths: Paths) -> None:
    assert isinstance(prov(paths, "add", "n001", "-y").exception, ConflictError)
    assert isinstance(prov(paths, "show", "n9").exception, NotFoundError)


@pytest.mark.parametrize("verb", ["set", "unset", "delete", "rename", "copy", "edit"])
def test_a_verb_that_changes_wants_to_be_told_which_nodes(paths: Paths, verb: str) -> None:
    result = prov(paths, verb, "--yes")

    assert result.exit_code == 2
    assert "Missing argument" in result.stderr


def test_a_tag_without_a_value_is_a_wrong_call(paths: Paths) -> None:
    result = prov(paths, "set", "n001", "--tag", "rack")

    assert result.exit_code == 2
    assert "not KEY=VALUE" in result.stderr


def test_a_site_with_a_mistake_is_listed_with_a_warning(paths: Paths) -> None:
    (paths.node_files / "z.yaml").write_text("nodes: {n9: {groups: [x]}}\n")

    result = prov(paths, "list")

    assert "n9" in result.stdout
    assert result.stderr == "warning: 1 problem in the site; see prov check\n"
