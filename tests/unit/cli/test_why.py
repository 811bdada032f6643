"""`prov why`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioner.cli.why import command
from provisioner.config.paths import Paths
from tests.support.bootable import bootable


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path)


def prov(paths: Paths, *words: str) -> str:
    result = CliRunner().invoke(command, list(words), obj=paths)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_places_are_lines_weakest_first_and_those_that_count_are_marked(paths: Paths) -> None:
    assert prov(paths, "n2", "kernel.args") == (
        "kernel.args: quiet console=ttyS0\n"
        "  *  group base via compute  +quiet          groups.d/g.yaml:3\n"
        "  *  group compute           +console=ttyS0  groups.d/g.yaml:8\n"
    )


def test_a_value_that_nobody_set_is_a_dash_with_a_reason(paths: Paths) -> None:
    assert prov(paths, "n2", "serial") == "serial: -\n    nobody set it, and it has no default\n"


def test_programs_get_json(paths: Paths) -> None:
    record = json.loads(prov(paths, "n2", "image", "--format", "json"))

    assert record["name"] == "n2"
    assert [field["value"] for field in record["fields"]] == ["demo"]
