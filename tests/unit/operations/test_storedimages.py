"""Images of the store as templates see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError
from provisioner.image import store
from provisioner.operations.storedimages import StoredImages
from tests.support.imagetree import stored, tree
from tests.support.resolved import generation


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths.below(tmp_path / "site")
    stored(found, tree(tmp_path / "root"))
    return found


def reason(images: StoredImages, reference: str | None) -> str:
    try:
        return f"has it: {images(reference).has('sshd')}"
    except ValueError as error:
        return str(error)


def test_every_reference_of_a_generation_tells_the_same(paths: Paths) -> None:
    images = StoredImages(paths, store.catalogue(paths))

    assert images("debian-12") is images("debian-12@1")
    assert images("debian-12").os["ID"] == "debian"


def test_what_is_not_there_is_unknown_with_the_reason(paths: Paths) -> None:
    images = StoredImages(paths)

    assert reason(images, None) == "the node has no image"
    assert reason(images, "rocky-9") == "the image rocky-9 does not exist"
    assert reason(images, "debian-12@7") == "the image debian-12@7 does not exist"


def test_a_generation_without_an_inventory_has_a_name_and_nothing_else(paths: Paths) -> None:
    store.publish(paths, generation(tree="sha256:" + "5" * 64))
    images = StoredImages(paths)

    assert images("debian-12").generation == "debian-12@2"
    assert reason(images, "debian-12") == "the image debian-12@2 has no inventory: build or import it again"


def test_an_image_that_is_built_later_is_found_then(paths: Paths, tmp_path: Path) -> None:
    images = StoredImages(paths)
    assert not images("debian-12@2").is_known

    stored(paths, tree(tmp_path / "second", {"etc/os-release": "ID=second\n"}))

    assert images("debian-12@2").os["ID"] == "second"
    assert images("debian-12@1").stamp != images("debian-12@2").stamp


def test_a_damaged_inventory_is_told(paths: Paths) -> None:
    artifact = store.catalogue(paths).generations["debian-12"][1].inventory
    assert artifact is not None
    store.artifact_path(paths, artifact.digest).write_bytes(b"damaged")

    with pytest.raises(IntegrityError, match="is damaged"):
        StoredImages(paths)("debian-12").has("sshd")
