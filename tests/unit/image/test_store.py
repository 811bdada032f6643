from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
from provisioner.image import store
from provisioner.model.image import Artifact, Generation
from tests.support import resolved

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.below(tmp_path / "site")
    store.prepare(paths)
    return paths


def generation(image: str = "toy", tree: str = DIGEST) -> Generation:
    return resolved.generation(image=image, tree=tree)


def test_a_store_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert store.catalogue(Paths.below(tmp_path)).generations == {}


def test_generations_are_numbered_and_the_newest_is_current(paths: Paths) -> None:
    first = store.publish(paths, generation())
    second = store.publish(paths, generation(tree="sha256:" + "b" * 64))

    known = store.catalogue(paths)

    assert (first.name, second.name) == ("toy@1", "toy@2")
    assert known.find("toy") == second
    assert known.find("toy@1") == first
    assert known.find(f"toy@{DIGEST}") == first


def test_a_tenth_generation_comes_after_the_ninth(paths: Paths) -> None:
    names = [store.publish(paths, generation()).name for _ in range(11)]

    assert names[-1] == "toy@11"
    assert list(store.catalogue(paths).generations["toy"]) == list(range(1, 12))


def test_a_first_publication_that_was_cut_short_is_no_image_yet(paths: Paths) -> None:
    store.publish(paths, generation())
    (paths.images / "images/toy/current").unlink()

    assert store.catalogue(paths).find("toy") is None


def test_a_pointer_that_is_no_number_is_named(paths: Paths) -> None:
    store.publish(paths, generation())
    (paths.images / "images/toy/current").write_text("one")

    with pytest.raises(IntegrityError, match="current does not hold the number"):
        store.catalogue(paths)


def test_an_artifact_is_named_by_its_content_and_readable_for_all(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    file.chmod(0o600)

    artifact = store.add_artifact(paths, file)

    place = store.artifact_path(paths, artifact.digest)
    assert artifact == Artifact(digest=f"sha256:{hashlib.sha256(b'content').hexdigest()}", size=7)
    assert place.read_bytes() == b"content"
    assert place.stat().st_mode & 0o777 == 0o644
    assert not file.exists()


def test_an_artifact_that_was_damaged_is_replaced(paths: Paths, tmp_path: Path) -> None:
    for content in (b"content", b"content"):
        (tmp_path / "file").write_bytes(content)
        place = store.artifact_path(paths, store.add_artifact(paths, tmp_path / "file").digest)
        assert place.read_bytes() == b"content"
        place.write_bytes(b"damaged")


def test_trees_are_hidden_from_everybody_but_root(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "list").write_text("list")

    store.add_tree(paths, DIGEST, folder=tmp_path / "tree", manifest=tmp_path / "list")

    place = store.tree_path(paths, DIGEST)
    assert place.is_dir()
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert store.manifest_path(paths, DIGEST).stat().st_mode & 0o777 == 0o600


def test_a_tree_that_is_there_already_stays(paths: Paths, tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree/file").write_text(content)
        (tmp_path / "list").write_text("list")
        store.add_tree(paths, DIGEST, folder=tmp_path / "tree", manifest=tmp_path / "list")

    assert (store.tree_path(paths, DIGEST) / "file").read_text() == "first"
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("digest", ["sha256:../../../etc/passwd", "../x", "sha256:AA", ""])
def test_what_is_no_digest_leads_nowhere(paths: Paths, digest: str) -> None:
    with pytest.raises(ProvisionerError, match="no digest"):
        store.artifact_path(paths, digest)


@pytest.mark.parametrize("name", ["../x", "A", "a/b", "a@1", "", ".x", "a" * 64])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ProvisionerError, match="cannot be the name"):
        store.check_name(name)


@pytest.mark.parametrize("reference", ["other", "toy@9", "toy@x", f"toy@{'sha256:' + 'c' * 64}"])
def test_a_generation_that_is_not_there_is_named(paths: Paths, reference: str) -> None:
    store.publish(paths, generation())

    with pytest.raises(NotFoundError, match="there is no image") as caught:
        store.find(paths, reference)
    assert "images: toy" in (caught.value.hint or "")


@pytest.mark.parametrize("content", ["", "{}", '{"image": 7}', "not json"])
def test_a_record_that_is_none_is_named_with_its_file(paths: Paths, content: str) -> None:
    store.publish(paths, generation())
    (paths.images / "images/toy/generations/1.json").write_text(content)

    with pytest.raises(IntegrityError, match=r"1\.json is no record"):
        store.catalogue(paths)
