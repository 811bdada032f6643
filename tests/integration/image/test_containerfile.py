"""Recipes with a Containerfile, built by the real buildah."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import CommandError, NotFoundError, ProvisionerError
from provisioner.image import store
from provisioner.model.image import Generation
from provisioner.operations.imagebuild import Places, build_image
from tests.support.elshaped.container import bare_container
from tests.support.elshaped.flavour import ROCKY_9
from tests.support.elshaped.images import places
from tests.support.elshaped.repository import NEEDED, Repositories, repositories

PACKING = ("dracut", "mksquashfs", "zstd", "cpio", "depmod", "modinfo")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.needs("buildah", *NEEDED, *PACKING),
    pytest.mark.timeout(1800),
]

CONTAINERFILE = """\
ARG BASE=localhost/nowhere
FROM ${BASE}
ARG COLOUR=blue
COPY greeting /etc/greeting
RUN echo "${COLOUR}" > /etc/colour && chmod 600 /etc/colour
"""


@pytest.fixture(scope="module")
def packages() -> Repositories:
    return repositories()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = Paths.below(tmp_path_factory.mktemp("site"))
    write(paths, "mine", "kind: containerfile\narguments: {COLOUR: green}\n", CONTAINERFILE)
    return paths


@pytest.fixture(scope="module")
def rocky(paths: Paths, packages: Repositories) -> Generation:
    return build_image(paths, "rocky-9", places=places(packages, ROCKY_9)).generation


def write(paths: Paths, name: str, text: str, containerfile: str | None) -> None:
    folder = paths.site / "images" / name
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(text)
    (folder / "greeting").write_text("hello\n")
    if containerfile is not None:
        (folder / "Containerfile").write_text(containerfile)


def test_a_containerfile_is_built_on_an_image_of_the_store(paths: Paths, rocky: Generation) -> None:
    made = build_image(paths, "mine", start="rocky-9").generation

    tree = store.tree_path(paths, made.tree)
    assert made.boots
    assert made.parent == rocky.name
    assert (tree / "etc/greeting").read_text() == "hello\n"
    assert (tree / "etc/colour").read_text() == "green\n"
    assert (tree / "etc/colour").stat().st_mode & 0o777 == 0o600


def test_what_the_containerfile_leaves_alone_stays_as_it_was(paths: Paths, rocky: Generation) -> None:
    made = build_image(paths, "mine", start="rocky-9").generation

    before, after = (set(store.manifest_path(paths, each.tree).read_text().splitlines()) for each in (rocky, made))
    changed = {line.split('"path":"')[1].split('"')[0] for line in before ^ after}
    # A layer of buildah says nothing of the root folder itself, which is 0555 in Enterprise Linux.
    assert changed - {"."} == {"etc/colour", "etc/greeting"}


def test_a_containerfile_is_built_on_a_container(paths: Paths, packages: Repositories, tmp_path: Path) -> None:
    layout = bare_container(packages, tmp_path / "container", url=packages.url(ROCKY_9))
    write(paths, "more", "kind: containerfile\n", CONTAINERFILE + "RUN rm /etc/yum.repos.d/rocky.repo\n")

    # A container alone has no kernel, so there is a tree, and then the refusal of what cannot boot.
    with pytest.raises(ProvisionerError, match="cannot boot: it lacks a kernel"):
        build_image(paths, "more", places=Places(base=f"oci:{layout}:9"))


def test_a_step_that_fails_is_told_with_the_end_of_the_log(paths: Paths, rocky: Generation) -> None:
    write(paths, "failing", "kind: containerfile\n", "ARG BASE\nFROM ${BASE}\nRUN echo no such luck; exit 3\n")

    with pytest.raises(CommandError, match="no such luck"):
        build_image(paths, "failing", start="rocky-9")
    assert list((paths.images / "tmp").iterdir()) == []


def test_a_recipe_without_its_containerfile_says_where_it_belongs(paths: Paths) -> None:
    write(paths, "empty", "kind: containerfile\n", None)

    with pytest.raises(NotFoundError, match="no Containerfile") as caught:
        build_image(paths, "empty")
    assert str(paths.site / "images/empty/Containerfile") in (caught.value.hint or "")
