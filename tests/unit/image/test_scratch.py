from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError
from provisioner.image.scratch import collecting, using, workspace


def test_what_an_interrupted_build_left_is_gone_at_the_next_one(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)
    left = paths.images / "tmp/toy/tree/file"
    left.parent.mkdir(parents=True)
    left.touch()

    with workspace(paths, "toy") as folder:
        assert list(folder.iterdir()) == []
        assert (paths.images / "tmp").stat().st_mode & 0o777 == 0o700


def test_nothing_stays_after_a_build_that_failed(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)

    def fail() -> None:
        with workspace(paths, "toy") as folder:
            (folder / "file").touch()
            raise ConflictError("failed")

    with pytest.raises(ConflictError, match="failed"):
        fail()

    assert list((paths.images / "tmp").iterdir()) == []


def test_two_builds_never_work_in_the_same_folder(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)

    with workspace(paths, "toy") as first:
        pass
    with workspace(paths, "toy") as second:
        assert first != second


def test_one_image_is_built_once_at_a_time(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)

    with (
        workspace(paths, "toy"),
        pytest.raises(ConflictError, match="toy is being built already"),
        workspace(paths, "toy"),
    ):
        pass


def test_two_images_are_built_at_the_same_time(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)

    with workspace(paths, "one") as one, workspace(paths, "two") as two:
        assert one != two
        assert one.is_dir()


def test_nothing_is_collected_while_an_image_is_built_or_copied(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)

    for busy in (workspace(paths, "toy"), using(paths)):
        with busy, pytest.raises(ConflictError, match="nothing is collected"), collecting(paths):
            pass
    with collecting(paths):
        pass


def test_two_users_of_the_store_do_not_wait_for_each_other(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)

    with using(paths), using(paths), workspace(paths, "toy") as folder:
        assert folder.is_dir()
