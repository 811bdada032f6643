"""`prov group`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.group import command
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError
from tests.support.site import SITE, write_site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {
        "provisioner.yaml": SITE,
        "groups.d/g.yaml": "groups:\n  g: {kernel: {args: [a, b]}, tags: {rack: r1}}\n",
        "nodes.d/n.yaml": "nodes: {'n[1-4]': {groups: [g]}}\n",
    }
    return write_site(tmp_path, files)


def prov(paths: Paths, *words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(command, list(words), obj=paths, input=text)


def test_groups_are_listed_with_the_number_of_their_nodes(paths: Paths) -> None:
    assert prov(paths, "list").output == (
        "NAME  GROUPS  IMAGE  COUNT  PLACE\ng     -       -      4      groups.d/g.yaml:2\n"
    )


def test_a_group_is_shown_as_it_is_written(paths: Paths) -> None:
    assert prov(paths, "show", "g").output == (
        "name         g\n"
        "place        groups.d/g.yaml:2\n"
        "count        4\n"
        "nodes        n[1-4]\n"
        "kernel.args  a b\n"
        "tags.rack    r1\n"
    )


def test_a_group_for_programs_is_nested_as_it_is_written(paths: Paths) -> None:
    assert json.loads(prov(paths, "show", "g", "--format", "json").stdout) == {
        "name": "g",
        "place": "groups.d/g.yaml:2",
        "count": 4,
        "nodes": "n[1-4]",
        "kernel": {"args": ["a", "b"]},
        "tags": {"rack": "r1"},
    }


def test_groups_are_added_changed_renamed_and_deleted(paths: Paths) -> None:
    words = ["--group", "g", "--kernel-arg", "iommu=on", "--runtime-overlay", "hosts", "--yes"]
    added = prov(paths, "add", "gpu", *words)
    assert added.output.splitlines()[-2:] == ["wrote groups.d/gpu.yaml", "undo with: prov undo 1"]
    assert prov(paths, "set", "gpu", "--tag", "kind=gpu", "kernel.args+=quiet", "-y").exit_code == 0

    assert (paths.group_files / "gpu.yaml").read_text() == (
        "groups:\n"
        "  gpu: {groups: [g], overlays: {runtime: [hosts]}, "
        "kernel: {args: [iommu=on, quiet]}, tags: {kind: gpu}}\n"
    )
    assert prov(paths, "unset", "gpu", "kernel.args", "-y").exit_code == 0
    assert prov(paths, "cp", "gpu", "gpu2", "-y").exit_code == 0
    assert prov(paths, "mv", "gpu2", "gpu3", "-y").exit_code == 0
    assert prov(paths, "rm", "gpu3", "-y").output.startswith("delete group gpu3\n")


def test_a_group_in_use_is_refused_and_its_users_are_named(paths: Paths) -> None:
    error = prov(paths, "delete", "g", "--yes").exception

    assert isinstance(error, ConflictError)
    assert "n[1-4]" in error.message
    assert prov(paths, "delete", "g", "--detach", "--yes").exit_code == 0


def test_an_export_is_what_an_import_takes(paths: Paths) -> None:
    exported = prov(paths, "export").stdout
    assert prov(paths, "unset", "g", "tags.rack", "-y").exit_code == 0

    assert prov(paths, "import", "-", "-y", text=exported).exit_code == 0

    assert json.loads(prov(paths, "show", "g", "--format", "json").stdout)["tags"] == {"rack": "r1"}
