"""Images that are named and do not exist."""

from __future__ import annotations

from pathlib import Path

from provisioner.model.catalogue import Catalogue
from provisioner.registry.compiler import current
from provisioner.registry.images import image_problems
from tests.support.site import SITE, catalogue_of, write_site

FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": "groups:\n  g: {image: a}\n",
    "nodes.d/n.yaml": "nodes:\n  n[1-9]: {groups: [g], image: a@7}\n  n2: {image: b}\n",
}


def places(tmp_path: Path, catalogue: Catalogue) -> list[str]:
    problems = image_problems(current(write_site(tmp_path, FILES)), catalogue)
    return sorted(str(problem).split("\n", maxsplit=1)[0] for problem in problems)


def test_every_place_that_names_an_image_that_does_not_exist_is_told(tmp_path: Path) -> None:
    assert places(tmp_path, catalogue_of("a")) == [
        "nodes.d/n.yaml:2:32: the image 'a' has no generation 7",
        "nodes.d/n.yaml:3:15: unknown image 'b'",
    ]
    assert len(places(tmp_path, Catalogue())) == 3


def test_an_image_that_is_built_later_needs_no_compilation(tmp_path: Path) -> None:
    published = current(write_site(tmp_path, {**FILES, "nodes.d/n.yaml": "nodes: {n1: {groups: [g]}}\n"}))

    assert len(image_problems(published, Catalogue())) == 1
    assert image_problems(published, catalogue_of("a")) == ()


def test_where_the_site_cannot_be_used_images_are_not_looked_at(tmp_path: Path) -> None:
    published = current(write_site(tmp_path, {**FILES, "provisioner.yaml": "cluster: x\n"}))

    assert image_problems(published, Catalogue()) == ()
