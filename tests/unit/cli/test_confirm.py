"""The way of every change: shown, asked for, written."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import ANY

import pytest
import yaml
from click.testing import CliRunner, Result

from provisioner.cli.main import prov as program
from provisioner.cli.node import command
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.registry.history import changes
from tests.support.site import SITE, write_site

NODES = "nodes:\n  n[1-2]: {tags: {a: b}}\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": NODES})


def prov(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(command, list(words), obj=paths)


def written(paths: Paths) -> str:
    return (paths.node_files / "n.yaml").read_text()


def test_a_change_is_shown_before_it_is_written(paths: Paths) -> None:
    result = prov(paths, "set", "n1", "tags.a=c", "--yes")

    assert result.stdout == (
        "change n1 (1 node)\n  tags.a  b -> c\nwrote nodes.d/n.yaml\nundo with: prov undo 1\n"
    )
    assert written(paths) == NODES + "  n1: {tags: {a: c}}\n"


def test_without_anybody_to_ask_nothing_is_written(paths: Paths) -> None:
    result = prov(paths, "delete", "n1")

    assert isinstance(result.exception, ProvisionerError)
    assert result.exception.hint == "say yes beforehand: --yes"
    assert result.stdout == "delete n1 (1 node)\n"
    assert written(paths) == NODES


def test_what_changes_nothing_asks_nothing(paths: Paths) -> None:
    result = prov(paths, "set", "n[1-2]", "tags.a=b")

    assert (result.exit_code, result.stdout) == (0, "nothing to change\n")
    assert changes(paths) == []


def test_programs_get_the_change_as_data(paths: Paths) -> None:
    result = prov(paths, "set", "n1", "tags.a=c", "--yes", "--format", "json")

    assert json.loads(result.stdout) == {
        "change": 1,
        "files": ["nodes.d/n.yaml"],
        "differences": [
            {
                "what": "node",
                "change": "changed",
                "names": "n1",
                "count": 1,
                "fields": [{"field": "tags.a", "before": "b", "after": "c"}],
            }
        ],
    }
    same = prov(paths, "set", "n1", "tags.a=c", "--yes", "--format", "yaml")
    assert yaml.safe_load(same.stdout) == {"change": None, "files": [], "differences": []}


def test_the_history_has_what_was_typed_and_why_but_no_password(tmp_path: Path) -> None:
    write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": NODES})
    words = [
        "--root",
        str(tmp_path),
        "node",
        "set",
        "n1",
        "bmc.password=open sesame",
        "tags.x=a b",
        "-y",
        "-m",
        "new",
    ]

    result = CliRunner().invoke(program, words)

    assert (result.exit_code, result.exception) == (0, None)
    (recorded,) = changes(Paths.below(tmp_path))
    assert recorded.command == "prov node set n1 bmc.password=... 'tags.x=a b' -y -m new"
    assert recorded.message == "new"
    assert "open" not in result.output


def test_a_plan_writes_nothing_and_its_status_says_that_something_would_change(paths: Paths) -> None:
    result = prov(paths, "set", "n1", "tags.a=c", "--plan")

    assert (result.exit_code, result.exception) == (2, ANY)
    assert result.stdout.startswith("change n1 (1 node)\n  tags.a  b -> c\n")
    assert written(paths) == NODES
    assert prov(paths, "set", "n[1-2]", "tags.a=b", "--plan").exit_code == 0
    assert prov(paths, "set", "n1", "tags.a=b", "--plan").exit_code == 2, "no value changes, but a file would"


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("bmc={username: adm, password: s3cr3t}", "bmc=..."),
        ('bmc={"pass\\u0077ord": s3cr3t}', "bmc=..."),
        ("bmc.password=s3cr3t", "bmc.password=..."),
    ],
)
def test_no_password_gets_into_the_history_whatever_way_it_is_written(
    tmp_path: Path, word: str, kept: str
) -> None:
    write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": NODES})

    result = CliRunner().invoke(program, ["--root", str(tmp_path), "node", "set", "n1", word, "-y"])

    assert (result.exit_code, result.exception) == (0, None)
    (recorded,) = changes(Paths.below(tmp_path))
    assert recorded.command == f"prov node set n1 {kept} -y"
    assert "s3cr3t" not in result.output
