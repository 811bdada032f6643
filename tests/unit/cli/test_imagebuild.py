from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioner.cli.main import prov


def invoke(root: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(prov, ["--root", str(root), "image", "build", *words])
    return done.exit_code, done.output + str(done.exception or "")


@pytest.mark.parametrize("text", ["baseos", "=http://127.0.0.1", "baseos="])
def test_a_repository_without_name_or_url_is_refused(tmp_path: Path, text: str) -> None:
    code, output = invoke(tmp_path, "rocky-9", "--repo", text)

    assert code == 2
    assert f"--repo {text}: give NAME=URL" in output


def test_a_recipe_that_is_not_there_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    code, output = invoke(tmp_path, "rocky-99")

    assert code == 1
    assert "there is no recipe rocky-99" in output
    assert not (tmp_path / "var").exists()


def test_an_image_to_build_on_that_is_not_there_is_refused(tmp_path: Path) -> None:
    code, output = invoke(tmp_path, "rocky-9", "--from", "nothing")

    assert code == 1
    assert "there is no image nothing" in output
