"""What is written now, compiled once and found again. What is in it is looked at in test_compilation.py."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError
from provisioner.registry.collect import collect
from provisioner.registry.compiler import KEPT, compile_files, current, prune, publish
from provisioner.registry.published import Published
from provisioner.registry.schema import snapshot_path
from tests.support.site import SITE, write_site

NODES = "nodes: {n1: {tags: {t: x}}, n2: }\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A site that has a state folder."""
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": NODES})
    paths.state.mkdir()
    return paths


def place_of(paths: Paths, published: Published) -> Path:
    return snapshot_path(paths, published.revision)


def test_unchanged_files_are_compiled_once(paths: Paths) -> None:
    first = current(paths)
    made = place_of(paths, first).stat().st_ino

    again = current(paths)

    assert (again.revision, place_of(paths, again).stat().st_ino) == (first.revision, made)
    assert again.names() == ("n1", "n2")


def test_a_published_snapshot_is_private_to_the_group_and_alone(paths: Paths) -> None:
    place = place_of(paths, current(paths))

    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert list(paths.snapshots.iterdir()) == [place]


def test_a_site_with_mistakes_is_published_too(paths: Paths) -> None:
    (paths.node_files / "b.yaml").write_text("nodes: {n3: {imge: x}}\n")
    current(paths)

    with Published.open(paths, current(paths).revision) as again:
        assert [problem.message for problem in again.problems()] == ["unknown key 'imge'"]
        assert again.names() == ("n1", "n2", "n3")


def test_what_was_compiled_for_a_look_is_kept_for_the_next_one(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": NODES})

    assert current(paths).names() == ("n1", "n2")
    assert [each.suffix for each in paths.snapshots.iterdir()] == [".sqlite"]


def test_looking_for_a_site_where_there_is_none_leaves_nothing_behind(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"nodes.d/a.yaml": NODES})

    assert current(paths).problems()
    assert not paths.state.exists()


def test_a_state_that_cannot_be_written_hinders_nobody_from_looking(paths: Paths) -> None:
    paths.snapshots.write_text("a file where a folder belongs")

    assert current(paths).names() == ("n1", "n2")


def truncate(place: Path) -> None:
    os.truncate(place, place.stat().st_size // 2)


def empty(place: Path) -> None:
    place.write_bytes(b"")


def overwrite(place: Path) -> None:
    place.write_bytes(b"rubbish" * 1000)


def lose_pages(place: Path) -> None:
    """What a power cut may leave: the right length, but pages that were never written; and another boot id."""
    with closing(sqlite3.connect(place)) as database:
        database.execute("UPDATE meta SET value = 'earlier' WHERE key = 'boot'")
        database.commit()
    content = bytearray(place.read_bytes())
    content[len(content) // 2 : -4096] = bytes(len(content) - len(content) // 2 - 4096)
    place.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, empty, overwrite, lose_pages])
def test_a_damaged_snapshot_is_compiled_again(paths: Paths, damage: Callable[[Path], None]) -> None:
    before = current(paths)
    place = place_of(paths, before)
    damage(place)

    with pytest.raises(IntegrityError, match="is damaged"):
        Published.open(paths, before.revision)

    assert current(paths).names() == ("n1", "n2")
    assert Published.open(paths, before.revision).names() == ("n1", "n2")


def test_a_damaged_snapshot_is_no_base_for_the_next_one(paths: Paths) -> None:
    truncate(place_of(paths, current(paths)))
    (paths.node_files / "b.yaml").write_text("nodes: {n3: }\n")

    assert current(paths).names() == ("n1", "n2", "n3")


def test_a_snapshot_of_an_earlier_start_of_the_machine_that_is_whole_is_used(paths: Paths) -> None:
    place = place_of(paths, current(paths))
    with closing(sqlite3.connect(place)) as database:
        database.execute("UPDATE meta SET value = 'earlier' WHERE key = 'boot'")
        database.commit()
    made = place.stat().st_ino

    assert current(paths).names() == ("n1", "n2")
    assert place.stat().st_ino == made


def test_a_snapshot_by_another_version_of_the_product_is_compiled_again(paths: Paths) -> None:
    published = current(paths)
    with closing(sqlite3.connect(place_of(paths, published))) as database:
        database.execute("UPDATE meta SET value = '1 0.0.1' WHERE key = 'version'")
        database.commit()

    with pytest.raises(NotFoundError, match="is not published"):
        Published.open(paths, published.revision)
    current(paths)

    assert Published.open(paths, published.revision).names() == ("n1", "n2")


@pytest.mark.parametrize("name", ["def", "../abc", ""])
def test_a_revision_that_was_never_published_is_not_found(paths: Paths, name: str) -> None:
    with pytest.raises(NotFoundError):
        Published.open(paths, name)


def test_the_newest_snapshots_the_current_one_and_those_that_are_needed_stay(paths: Paths) -> None:
    revisions = []
    for number in range(KEPT + 4):
        (paths.node_files / "b.yaml").write_text(f"nodes: {{m{number}: }}\n")
        compilation = compile_files(paths, collect(paths), None)
        publish(paths, compilation)
        revisions.append(compilation.revision)
        os.utime(snapshot_path(paths, compilation.revision), (number, number))
    paths.current_revision.write_text(f"{revisions[0]}\n")

    prune(paths, keep=[revisions[2]], newest=KEPT)

    assert {place.stem for place in paths.snapshots.iterdir()} == {*revisions[4:], revisions[0], revisions[2]}


def test_what_a_killed_writer_left_goes_after_a_while(paths: Paths) -> None:
    current(paths)
    old, young = paths.snapshots / ".new.old", paths.snapshots / ".new.young"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))

    prune(paths)

    assert (old.exists(), young.exists()) == (False, True)


def test_a_repaired_provisioner_yaml_goes_on_from_the_last_snapshot_that_knew_nodes(paths: Paths) -> None:
    good = current(paths)
    paths.site_file.write_text("cluster: x\n")
    current(paths)
    paths.site_file.write_text(SITE)
    (paths.node_files / "b.yaml").write_text("nodes: {n3: }\n")

    assert current(paths).names() == ("n1", "n2", "n3")
    assert good.names() == ("n1", "n2")
