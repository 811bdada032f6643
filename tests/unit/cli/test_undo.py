"""`prov undo`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.undo import command
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError
from provisioner.registry import history
from tests.support.changes import change
from tests.support.site import SITE, write_site

NODES = "nodes.d/n.yaml"
OLD, NEW = "nodes:\n  n1: {tags: {rack: r1}}\n", "nodes:\n  n1: {tags: {rack: r2}}\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, NODES: OLD})
    change(paths, {NODES: NEW}, "prov node set n1 --tag rack=r2")
    return paths


def prov(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(command, list(words), obj=paths)


def test_the_last_change_is_named_shown_and_taken_back(paths: Paths) -> None:
    said = prov(paths, "--yes")

    assert said.exit_code == 0, said.output
    assert said.output.startswith("change 1 by ada: prov node set n1 --tag rack=r2\n")
    assert f"wrote {NODES}\n" in said.output
    assert (paths.site / NODES).read_text() == OLD
    last = history.change(paths, 2)
    assert (last.undoes, last.message) == (1, "undoes change 1: prov node set n1 --tag rack=r2")


def test_an_undo_by_its_number_is_undone(paths: Paths) -> None:
    prov(paths, "--yes")

    assert prov(paths, "2", "--yes").exit_code == 0
    assert (paths.site / NODES).read_text() == NEW


def test_nothing_is_written_when_nobody_can_be_asked(paths: Paths) -> None:
    assert prov(paths).exit_code == 1
    assert (paths.site / NODES).read_text() == NEW


def test_an_undo_that_would_make_a_mistake_is_refused(paths: Paths) -> None:
    change(paths, {"groups.d/g.yaml": "groups: {g: {}}\n"}, "prov group add g")
    change(paths, {NODES: "nodes:\n  n1: {groups: [g]}\n"}, "prov node set n1 --group g")

    said = prov(paths, "2", "--yes")

    assert isinstance(said.exception, ConfigError)
    assert "g" in said.exception.message
    assert (paths.site / "groups.d/g.yaml").exists()
