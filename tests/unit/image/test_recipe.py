from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError
from provisioner.image import recipe

TEXT = "kind: mmdebstrap\nsuite: bookworm\ndate: 2023-06-10\npackages: [systemd]\n"


def paths_in(folder: Path) -> Paths:
    return Paths(site=folder / "site", state=folder / "var", run=folder / "run", data=folder / "data")


def write(folder: Path, name: str, text: str = TEXT) -> Path:
    file = folder / "images" / name / "recipe.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_the_shipped_recipe_is_sound() -> None:
    paths = Paths.below(None)

    chosen = recipe.load(recipe.find(paths, "debian-12"))

    assert (chosen.suite, chosen.epoch) == ("bookworm", 1_686_355_200)
    assert "linux-image-cloud-amd64" in chosen.packages


def test_the_sites_recipe_wins_over_the_shipped_one(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    write(paths.data, "debian-12")

    mine = write(paths.site, "debian-12")

    assert recipe.find(paths, "debian-12") == mine


@pytest.mark.parametrize("name", ["rocky-9", "../images/debian-12", ""])
def test_a_recipe_that_is_not_there_names_those_that_are(tmp_path: Path, name: str) -> None:
    paths = paths_in(tmp_path)
    write(paths.data, "debian-12")

    with pytest.raises(NotFoundError, match="no recipe") as caught:
        recipe.find(paths, name)
    assert caught.value.hint == "recipes: debian-12"


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    wrong = TEXT.replace("bookworm", '"--bad"').replace("[systemd]", '[systemd, "a b"]') + "masks: []\n"
    file = write(tmp_path, "x", wrong)

    with pytest.raises(ConfigError) as caught:
        recipe.load(file)

    places = [(problem.line, problem.message.split(":")[0]) for problem in caught.value.problems]
    assert places == [(2, "suite"), (4, "packages.1"), (5, "masks")]


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "kind: other\n"])
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, "x", text)

    with pytest.raises(ConfigError, match=r"recipe\.yaml:"):
        recipe.load(file)
