"""`prov check` on a site with ten different mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from provisioner.cli.check import command
from provisioner.config.paths import Paths
from tests.support.golden import Golden
from tests.support.site import SITE, write_site

TEN = Path(__file__).parents[2] / "golden/check/ten-mistakes"


@pytest.fixture
def ten(tmp_path: Path) -> Paths:
    return Paths.below(shutil.copytree(TEN, tmp_path / "site"))


def test_ten_different_mistakes_are_all_named_with_their_place_and_a_hint(ten: Paths, golden: Golden) -> None:
    result = CliRunner().invoke(command, obj=ten)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("hint:") == 10
    golden("check/ten-mistakes/expected.txt", result.stderr)


def test_a_site_without_mistakes_is_summed_up_in_one_line(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": "nodes: {'n[1-4]': }\n"})

    result = CliRunner().invoke(command, obj=paths)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("ok: 4 nodes, 0 groups, revision ")
    assert len(result.stdout.split()[-1]) == 16


def test_programs_get_mistakes_as_data(ten: Paths) -> None:
    result = CliRunner().invoke(command, ["--format", "json"], obj=ten)

    found = json.loads(result.stdout)
    assert (result.exit_code, result.stderr, found["ok"]) == (1, "", False)
    assert len(found["problems"]) == 10
    assert set(found["problems"][0]) == {"file", "line", "column", "message", "hint"}


def test_programs_get_what_is_right_as_data_too(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": "nodes: {'n[1-4]': }\n"})

    found = yaml.safe_load(CliRunner().invoke(command, ["--format", "yaml"], obj=paths).stdout)

    assert (found["ok"], found["nodes"], found["groups"], found["problems"]) == (True, 4, 0, [])
