"""`prov image show`: what an image holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.image import store
from tests.support import resolved
from tests.support.imagetree import stored, tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    paths = Paths.below(tmp_path / "site")
    stored(paths, tree(tmp_path / "root", {"usr/sbin/wicked": "ELF"}))
    return tmp_path / "site"


def show(root: Path, *words: str) -> Result:
    return CliRunner().invoke(prov, ["--root", str(root), "image", "show", *words])


def table(root: Path, *words: str) -> list[list[str]]:
    return [line.split() for line in show(root, *words).stdout.splitlines()]


def test_the_table_says_what_the_image_holds_in_words(root: Path) -> None:
    told = {key: rest for key, *rest in table(root, "debian-12")}

    assert told["network"] == ["systemd-networkd,", "wicked", "(disabled)"]
    assert (told["init"], told["packages"], told["users"]) == (["systemd", "252"], ["2"], ["2"])


def test_programs_get_the_same_as_data(root: Path) -> None:
    told = json.loads(show(root, "debian-12", "--format", "json").stdout)

    assert told["network"][1] == {"name": "wicked", "enabled": False}
    assert told["inventory"]["digest"].startswith("sha256:")


@pytest.mark.parametrize(
    ("option", "head", "first"),
    [
        (["--packages"], ["NAME", "VERSION", "ARCHITECTURE"], ["bash", "5.2.15-2+b7", "amd64"]),
        (
            ["--units"],
            ["NAME", "STATE", "WANTED_BY"],
            ["systemd-networkd.service", "enabled", "multi-user.target"],
        ),
        (["--users"], ["NAME", "UID", "GID", "HOME", "SHELL"], ["root", "0", "0", "/root", "/bin/bash"]),
    ],
)
def test_what_is_inside_is_listed(root: Path, option: list[str], head: list[str], first: list[str]) -> None:
    assert table(root, "debian-12", *option)[:2] == [head, first]
    assert isinstance(json.loads(show(root, "debian-12", *option, "--format", "json").stdout), list)


def test_files_are_listed_by_a_pattern(root: Path) -> None:
    head, first = table(root, "debian-12", "--files", "/bin/bash")

    assert (head[0], first[:2], first[-1]) == ("PATH", ["/usr/bin/bash", "file"], "bash")


def test_one_list_at_a_time(root: Path) -> None:
    result = show(root, "debian-12", "--units", "--files", "*")

    assert result.exit_code == 2
    assert "choose one of" in result.stderr


def test_a_generation_of_before_is_shown_without_its_inside(root: Path) -> None:
    store.publish(Paths.below(root), resolved.generation(image="old"))

    assert ["inventory", "-"] in table(root, "old")
    assert show(root, "old").exit_code == 0
