"""What a sweep keeps and takes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.image import gc, store
from provisioner.image.folder import ImageFolder
from provisioner.image.gc import Policy
from tests.support.imagestore import OLD, artifact, contents, generation, let_age

NEVER = Policy(newest=0, since=time.time() + 1e6)
DAY = 86400.0


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "site")


def three(paths: Paths) -> ImageFolder:
    for number in range(3):
        generation(paths, root=b"root %d" % number, tree=True, age=OLD)
    let_age(paths)
    return ImageFolder.of(paths, "toy")


def since(days: float) -> float:
    return time.time() - days * DAY


def why(folder: ImageFolder, used: dict[str, str] | None = None, policy: Policy | None = None) -> dict[str, str]:
    return gc.reasons([folder], used or {}, policy or Policy(0, since(7)))


def kinds(paths: Paths, gone: set[str] | None = None) -> list[str]:
    return sorted(each.kind for each in gc.rubbish(paths, gone or set(), since(7)))


def test_what_a_name_means_stays_and_others_go(paths: Paths) -> None:
    assert why(three(paths)) == {"toy@1": "", "toy@2": "", "toy@3": "current"}


def test_tags_pins_users_and_the_newest_stay(paths: Paths) -> None:
    folder = three(paths)
    folder.mark(folder.marks().tagged("prod", 1).pinned(2))

    assert why(folder) == {"toy@1": "tag prod", "toy@2": "pinned", "toy@3": "current"}
    folder.mark(folder.marks().untagged("prod").unpinned(2))
    assert why(folder, {"toy@1": "booted by n1"})["toy@1"] == "booted by n1"
    assert why(folder, policy=Policy(2, since(7))) == {
        "toy@1": "",
        "toy@2": "one of the newest 2",
        "toy@3": "current",
    }


def test_what_was_made_lately_stays(paths: Paths) -> None:
    assert why(three(paths), policy=Policy(0, since(60)))["toy@1"]


def test_what_was_current_lately_stays_because_a_daemon_may_not_have_looked(paths: Paths) -> None:
    folder = three(paths)
    folder.point(1)
    folder.note("current", 1, before=3)

    assert why(folder)["toy@3"] == "was current until lately"
    assert why(folder, policy=NEVER)["toy@3"] == ""


def test_nothing_that_a_generation_refers_to_is_rubbish(paths: Paths) -> None:
    three(paths)

    assert kinds(paths) == []


def test_what_only_a_gone_generation_refers_to_is_rubbish(paths: Paths) -> None:
    three(paths)

    # Kernel and stage 1 are those of the others, too.
    assert kinds(paths, {"toy@1"}) == ["artifact", "artifact", "manifest", "tree"]


def test_what_came_less_than_an_hour_ago_is_no_rubbish(paths: Paths) -> None:
    three(paths)
    artifact(paths, b"of a build that publishes in an instant")

    assert kinds(paths) == []


def test_a_tree_that_was_added_again_is_new_again(paths: Paths) -> None:
    three(paths)
    generation(paths, "other", root=b"root 0", tree=True)

    assert "tree" not in kinds(paths, {"toy@1", "other@1"})


def test_what_a_killed_build_left_is_rubbish_at_once(paths: Paths) -> None:
    three(paths)
    left = paths.images / "tmp/toy/build-x/tree/usr"
    left.mkdir(parents=True)

    assert kinds(paths) == ["leftover"]


def test_layers_are_kept_for_the_next_import_until_nobody_needed_them_for_long(paths: Paths) -> None:
    three(paths)
    layer = paths.images / "blobs/sha256" / ("a" * 64)
    layer.parent.mkdir(parents=True)
    layer.touch()

    assert kinds(paths) == []
    let_age(paths, OLD)
    assert kinds(paths) == ["layer"]


def test_a_sweep_takes_records_and_files_and_nothing_else(paths: Paths) -> None:
    three(paths)
    kept = {name for each in (2, 3) for name in files_of(paths, f"toy@{each}")}
    doomed = store.find(paths, "toy@1")

    swept = gc.collect(paths, [doomed], since(7))

    assert sorted(each.kind for each in swept) == ["artifact", "artifact", "manifest", "tree"]
    assert sum(each.size for each in swept) > 0
    assert kept <= contents(paths).keys()
    assert list(store.catalogue(paths).generations["toy"]) == [2, 3]
    assert not store.tree_path(paths, doomed.tree).exists()
    assert list((paths.images / "tmp").iterdir()) == []
    assert ImageFolder.of(paths, "toy").history()[-1].what == "collected"


def files_of(paths: Paths, name: str) -> set[str]:
    found = store.find(paths, name)
    places = [store.artifact_path(paths, each.digest) for each in gc.artifacts_of(found)]
    places += [store.manifest_path(paths, found.tree), store.tree_path(paths, found.tree) / "etc/motd"]
    return {str(place.relative_to(paths.images)) for place in places}


def test_files_that_a_running_build_removes_do_not_disturb_the_plan(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(paths)
    for name in ("stays", "vanishes/a/b"):
        (paths.images / "tmp/toy" / name).mkdir(parents=True)
    walk = os.walk

    def vanishing(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        for folder in walk(top):
            shutil.rmtree(paths.images / "tmp/toy/vanishes", ignore_errors=True)
            yield folder

    monkeypatch.setattr(os, "walk", vanishing)

    assert kinds(paths) == ["leftover"]


def test_a_link_in_the_store_is_rubbish_and_not_what_it_leads_to(paths: Paths, tmp_path: Path) -> None:
    three(paths)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/precious").write_bytes(bytes(1 << 20))
    (paths.images / "tmp/link").symlink_to(tmp_path / "elsewhere")

    (swept,) = gc.collect(paths, (), since(7))

    assert swept.size < 1 << 20
    assert (tmp_path / "elsewhere/precious").exists()
