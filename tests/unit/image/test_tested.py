"""What came of the test of a generation, kept beside its record."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.image import tested
from provisioner.image.tested import keep, last
from provisioner.operations.imagehistory import history
from provisioner.operations.imagestore import list_generations, standing
from tests.support.imagestore import generation
from tests.support.site import SITE, write_site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE})


def result(name: str = "toy@1", state: str = "ready", reason: str = "") -> tested.Tested:
    return tested.Tested(
        generation=name, node="n1", firmware="bios", time=5.0, by="root", state=state, reason=reason, seconds=41.4
    )


def test_a_result_is_kept_and_the_next_one_takes_its_place(paths: Paths) -> None:
    made = generation(paths)
    assert last(paths, made) is None

    keep(paths, made, result(state="failed"))
    keep(paths, made, result())

    assert last(paths, made) == result()


def test_the_results_of_generations_are_apart(paths: Paths) -> None:
    first, second = generation(paths, root=b"1"), generation(paths, root=b"2")

    keep(paths, first, result(first.name))

    assert last(paths, second) is None


@pytest.mark.parametrize("content", ["", "{", "{}", '{"state": 7}'])
def test_a_result_that_cannot_be_read_counts_as_none(paths: Paths, content: str) -> None:
    made = generation(paths)
    keep(paths, made, result())
    (paths.images / "images/toy/tests/1.json").write_text(content)

    assert last(paths, made) is None


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("ready", "", "ready after 41 s as n1"),
        ("failed", "the root image is damaged", "failed as n1: the root image is damaged"),
        ("not ready", "", "not ready as n1"),
    ],
)
def test_a_result_is_a_few_words(state: str, reason: str, words: str) -> None:
    assert result(state=state, reason=reason).words == words


def test_everything_that_shows_a_generation_tells_its_last_result(paths: Paths) -> None:
    tried, other = generation(paths, root=b"1"), generation(paths, root=b"2")
    keep(paths, tried, result(tried.name))

    words = "ready after 41 s as n1"
    assert [each["tested"] for each in list_generations(paths)] == [words, None]
    assert (standing(paths, tried)["tested"], standing(paths, other)["tested"]) == (words, None)
    assert [each.tested for each in history(paths, "toy").generations] == [words, ""]


def test_the_list_has_a_column_for_results_once_there_is_one(paths: Paths) -> None:
    made = generation(paths)

    def printed() -> str:
        return CliRunner().invoke(prov, ["--root", str(paths.site), "image", "list"]).stdout

    assert "TESTED" not in printed()
    keep(paths, made, result())

    head, row = printed().splitlines()
    assert row[head.index("TESTED") :] == "ready after 41 s as n1"
