from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError
from provisioner.image import recipe

TEXT = "kind: mmdebstrap\nsuite: bookworm\ndate: 2023-06-10\npackages: [systemd]\n"


DNF = """\
kind: dnf
release: "9"
date: 2024-01-01
repositories:
  baseos: {baseurl: "https://mirror.example/", gpgkey: KEY}
packages: [bash]
"""


def paths_in(folder: Path) -> Paths:
    return Paths(site=folder / "site", state=folder / "var", run=folder / "run", data=folder / "data")


def write(folder: Path, name: str, text: str = TEXT) -> Path:
    file = folder / "images" / name / "recipe.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_the_shipped_recipe_is_sound() -> None:
    paths = Paths.below(None)

    chosen = recipe.resolve(paths, "debian-12").recipe

    assert (chosen.kind, chosen.epoch) == ("mmdebstrap", 1_686_355_200)
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


def test_every_shipped_recipe_says_all_that_it_must() -> None:
    paths = Paths.below(None)
    systems = ("centos-7", "centos-stream-9", "debian-12", "rocky-10", "rocky-8", "rocky-9")

    shipped = [f"{each}{kind}" for each in systems for kind in ("", "-compute", "-gpu")]

    assert recipe.names(paths) == tuple(sorted([*shipped, "debian-12-arm64"]))
    for name in recipe.names(paths):
        found = recipe.resolve(paths, name)
        assert (found.recipe.lacks, found.image) == ((), None), name
        assert found.recipe.packages


@pytest.mark.parametrize("name", ["rocky-9", "centos-7"])
def test_a_layer_goes_on_the_lists_of_its_base_and_keeps_the_rest(name: str) -> None:
    paths = Paths.below(None)

    base, layer = recipe.resolve(paths, name), recipe.resolve(paths, f"{name}-compute")

    assert set(base.recipe.packages) < set(layer.recipe.packages)
    assert set(base.recipe.enable) < set(layer.recipe.enable)
    assert layer.recipe.epoch == base.recipe.epoch
    assert layer.digest != base.digest


def test_a_layer_replaces_what_is_no_list_and_goes_on_with_tables(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    write(paths.data, "base", DNF)
    more = "repositories: {extra: {mirrorlist: 'https://mirror.example/', gpgcheck: false}}\n"
    write(paths.site, "layer", f"kind: dnf\nbase: base\nrelease: '9.6'\n{more}packages: [bash, less]\n")

    found = recipe.resolve(paths, "layer").recipe

    assert isinstance(found, recipe.DnfRecipe)
    assert (found.release, found.packages, set(found.repositories)) == (
        "9.6",
        ("bash", "less"),
        {"baseos", "extra"},
    )


def test_a_key_beside_a_recipe_is_found_from_its_layers_too(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    write(paths.data, "base", DNF)
    write(paths.site, "layer", "kind: dnf\nbase: base\n")

    found = recipe.resolve(paths, "layer").recipe

    assert isinstance(found, recipe.DnfRecipe)
    assert found.repositories["baseos"].gpgkey == f"file://{tmp_path}/data/images/base/KEY"


def test_a_base_that_is_no_recipe_is_an_image(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    write(paths.site, "layer", DNF + "base: rocky-9-base@2\n")

    assert recipe.resolve(paths, "layer").image == "rocky-9-base@2"


def test_a_change_of_a_base_changes_the_digest_of_its_layers(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    file = write(paths.site, "base", DNF)
    write(paths.site, "layer", "kind: dnf\nbase: base\n")
    before = recipe.resolve(paths, "layer").digest

    file.write_text(DNF + "# A remark.\n")

    assert recipe.resolve(paths, "layer").digest != before


def test_recipes_that_are_bases_of_each_other_are_refused(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    write(paths.site, "a", DNF + "base: b\n")
    write(paths.site, "b", DNF + "base: a\n")

    with pytest.raises(ConfigError, match="base of itself"):
        recipe.resolve(paths, "a")


def test_a_layer_on_a_base_of_another_kind_is_refused(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    write(paths.site, "base", TEXT)
    write(paths.site, "layer", "kind: dnf\nbase: base\n")

    with pytest.raises(ConfigError, match="kind mmdebstrap"):
        recipe.resolve(paths, "layer")


@pytest.mark.parametrize(
    ("text", "lacks"),
    [("kind: dnf\n", "date, release, repositories"), ("kind: mmdebstrap\ndate: 2024-01-01\n", "suite")],
)
def test_a_recipe_without_what_it_must_say_is_refused_by_name(tmp_path: Path, text: str, lacks: str) -> None:
    paths = paths_in(tmp_path)
    write(paths.site, "short", text)

    with pytest.raises(ConfigError, match=f"says nothing of {lacks}"):
        recipe.resolve(paths, "short")


@pytest.mark.parametrize(
    ("repository", "message"),
    [
        ("{gpgkey: KEY}", "one of baseurl, mirrorlist and metalink"),
        ("{baseurl: a, metalink: b, gpgkey: KEY}", "one of baseurl, mirrorlist and metalink"),
        ("{baseurl: a}", "give the gpgkey"),
        ('{baseurl: "a b", gpgkey: KEY}', "pattern"),
    ],
)
def test_a_repository_without_an_address_or_a_key_is_refused(
    tmp_path: Path, repository: str, message: str
) -> None:
    file = write(tmp_path, "x", DNF.replace('{baseurl: "https://mirror.example/", gpgkey: KEY}', repository))

    with pytest.raises(ConfigError, match=message):
        recipe.load(file)


@pytest.mark.parametrize(
    "line", ["packages: ['-y']", 'options: {tsflags: "a\\nb"}', 'commands: ["a\\nb"]', "rpmdb: {path: ../x}"]
)
def test_a_recipe_cannot_slip_options_or_lines_into_what_is_run(tmp_path: Path, line: str) -> None:
    file = write(tmp_path, "x", DNF.replace("packages: [bash]", line))

    with pytest.raises(ConfigError):
        recipe.load(file)


NAMES = st.lists(st.sampled_from(["bash", "less", "glibc", "kernel-core", "zlib"]), max_size=4).map(tuple)


@given(NAMES, NAMES)
def test_merged_lists_have_all_of_both_in_order_and_nothing_twice_that_was_not(
    below: tuple[str, ...], above: tuple[str, ...]
) -> None:
    base = recipe.DnfRecipe(kind="dnf", packages=below)
    layer = recipe.DnfRecipe(kind="dnf", base="base", packages=above)

    merged = recipe.merge(base, layer, Path("layer")).packages

    assert merged[: len(below)] == below
    assert set(merged) == {*below, *above}
    assert all(each not in below for each in merged[len(below) :])
