from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.image import store
from provisioner.image.folder import ImageFolder
from tests.support import resolved
from tests.support.imagestore import generation


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.below(tmp_path / "site")
    store.prepare(paths)
    return paths


def test_a_number_is_never_given_again(paths: Paths) -> None:
    for _ in range(3):
        generation(paths)
    folder = ImageFolder.of(paths, "toy")
    folder.forget(3)

    assert generation(paths).number == 4


def test_a_number_stays_taken_when_the_journal_alone_knows_it(paths: Paths) -> None:
    generation(paths)
    folder = ImageFolder.of(paths, "toy")
    folder.forget(1)

    assert folder.next_number() == 2


def test_a_number_stays_taken_when_the_record_alone_knows_it(paths: Paths) -> None:
    generation(paths)
    (ImageFolder.of(paths, "toy").path / "journal.jsonl").unlink()

    assert ImageFolder.of(paths, "toy").next_number() == 2


def test_generations_are_called_what_their_folder_is_called(paths: Paths) -> None:
    generation(paths, "toy")
    folder = ImageFolder.of(paths, "toy")
    folder.path.rename(folder.path.with_name("other"))

    assert store.find(paths, "other").name == "other@1"


def test_publishing_says_in_the_journal_what_was_current(paths: Paths) -> None:
    generation(paths)
    store.publish(paths, resolved.generation(image="toy"), what="loaded", detail="from a file")

    told = [(each.what, each.number, each.before, each.detail) for each in ImageFolder.of(paths, "toy").history()]
    assert told == [("made", 1, None, ""), ("loaded", 2, 1, "from a file")]


def test_tags_are_names_in_the_catalogue(paths: Paths) -> None:
    generation(paths)
    generation(paths)
    folder = ImageFolder.of(paths, "toy")
    folder.mark(folder.marks().tagged("prod", 1))

    assert store.find(paths, "toy@prod").name == "toy@1"


def test_a_tag_of_a_generation_that_is_gone_means_nothing(paths: Paths) -> None:
    generation(paths)
    generation(paths)
    folder = ImageFolder.of(paths, "toy")
    folder.mark(folder.marks().tagged("prod", 1))
    folder.forget(1)

    assert store.catalogue(paths).find("toy@prod") is None


def test_a_copy_that_somebody_left_beside_a_record_is_none(paths: Paths) -> None:
    generation(paths)
    records = ImageFolder.of(paths, "toy").path / "generations"
    (records / "1-old.json").write_bytes((records / "1.json").read_bytes())

    assert list(ImageFolder.of(paths, "toy").generations()) == [1]
    assert ImageFolder.of(paths, "toy").next_number() == 2
