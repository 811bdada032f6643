"""`prov group`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.group import command
from provisioner.config.paths import Paths
from tests.support.site import SITE, write_site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {
        "provisioner.yaml": SITE,
        "groups.d/g.yaml": "groups:\n  g: {kernel: {args: [a, b]}, tags: {rack: r1}}\n",
        "nodes.d/n.yaml": "nodes: {'n[1-4]': {groups: [g]}}\n",
    }
    return write_site(tmp_path, files)


def prov(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(command, list(words), obj=paths)


def test_groups_are_listed_with_their_nodes(paths: Paths) -> None:
    assert prov(paths, "list").output == (
        "NAME  GROUPS  IMAGE  NODES   PLACE\ng     -       -      n[1-4]  groups.d/g.yaml:2\n"
    )


def test_a_group_is_shown_as_it_is_written(paths: Paths) -> None:
    assert prov(paths, "show", "g").output == (
        "name         g\nplace        groups.d/g.yaml:2\nnodes        n[1-4]\nkernel.args  a b\ntags.rack    r1\n"
    )
    assert json.loads(prov(paths, "show", "g", "--format", "json").stdout)["kernel.args"] == ["a", "b"]


def test_groups_are_added_and_changed(paths: Paths) -> None:
    added = prov(paths, "add", "gpu", "--group", "g", "--kernel-arg", "iommu=on", "--runtime-overlay", "hosts")
    assert added.output == "wrote groups.d/gpu.yaml\n"
    assert prov(paths, "set", "gpu", "--tag", "kind=gpu").output == "wrote groups.d/gpu.yaml\n"

    assert (paths.group_files / "gpu.yaml").read_text() == (
        "groups:\n"
        "  gpu: {groups: [g], overlays: {runtime: [hosts]}, kernel: {args: [iommu=on]}, tags: {kind: gpu}}\n"
    )
