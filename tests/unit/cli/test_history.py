"""`prov history` and `prov undo`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.history import command
from provisioner.config.paths import Paths
from tests.support.changes import change
from tests.support.site import SITE, write_site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes:\n  n1: {}\n"})
    change(paths, {"nodes.d/n.yaml": "nodes:\n  n1: {script: boot}\n"}, "prov node set n1 --script boot")
    change(paths, {f"nodes.d/{name}.yaml": "nodes:\n" for name in "abcd"}, "prov apply many")
    change(paths, {"nodes.d/n.yaml": "nodes:\n  n1: {}\n"}, "prov undo 1", undoes=1)
    return paths


def prov(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(command, list(words), obj=paths)


def test_changes_are_listed_newest_first(paths: Paths) -> None:
    header, undo, many, first = prov(paths).output.splitlines()

    assert header.split() == ["ID", "TIME", "WHO", "LINES", "FILES", "WHAT"]
    assert undo.split()[2:] == ["ada", "+1", "-1", "nodes.d/n.yaml", "prov", "undo", "1"]
    assert "nodes.d/c.yaml and 1 more" in many
    assert first.endswith("prov node set n1 --script boot (undone by 3)")


def test_the_list_can_be_narrowed(paths: Paths) -> None:
    def numbers(*words: str) -> list[int]:
        return [each["id"] for each in json.loads(prov(paths, *words, "--format", "json").stdout)]

    assert numbers("--limit", "1") == [3]
    assert numbers("--node", "n1") == numbers("--file", "nodes.d/n.yaml") == [3, 1]


def test_a_change_is_shown_with_its_diff(paths: Paths) -> None:
    said = prov(paths, "show", "1").output

    assert "command    prov node set n1 --script boot\n" in said
    assert said.endswith("@@ -1,2 +1,2 @@\n nodes:\n-  n1: {}\n+  n1: {script: boot}\n")


def test_a_change_is_shown_to_programs(paths: Paths) -> None:
    shown = json.loads(prov(paths, "show", "1", "--format", "json").stdout)

    assert (shown["id"], shown["undone_by"], list(shown["diffs"])) == (1, 3, ["nodes.d/n.yaml"])


@pytest.mark.parametrize("written", ["./nodes.d/n.yaml", "nodes.d/../nodes.d/n.yaml", "{site}/nodes.d/n.yaml"])
def test_a_file_is_known_however_its_path_is_written(paths: Paths, written: str) -> None:
    found = json.loads(prov(paths, "--file", written.format(site=paths.site), "--format", "json").stdout)

    assert [each["id"] for each in found] == [3, 1]


def test_a_file_that_no_change_touched_is_told_so(paths: Paths) -> None:
    assert prov(paths, "--file", "nodes.d/other.yaml").output == "no change touched nodes.d/other.yaml\n"
    assert json.loads(prov(paths, "--file", "nodes.d/other.yaml", "--format", "json").stdout) == []
    assert "is not in the site" in str(prov(paths, "--file", "/etc/passwd").exception)


def test_a_prune_says_what_would_go_and_what_went(tmp_path: Path) -> None:
    told = [
        CliRunner().invoke(command, ["prune", *words], obj=Paths.below(tmp_path)).output
        for words in (["--plan"], [], ["--days", "0"])
    ]

    assert told == [
        "0 revisions and 0 contents would go: 0 bytes\n",
        "0 revisions and 0 contents are gone: 0 bytes\n",
        "0 revisions and 0 contents are gone: 0 bytes\n",
    ]
