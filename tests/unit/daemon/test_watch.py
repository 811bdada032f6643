"""Which folders are watched for edits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.daemon.watch import held, is_read, watched_folders


def paths_of(folder: Path) -> Paths:
    return replace(Paths.below(folder / "site"), data=folder / "data")


def test_folders_that_people_write_in_are_watched_and_state_is_not(tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    for name in ("site/groups.d", "site/nodes.d", "site/overlays", "site/var", "site/run", "data/templates"):
        (tmp_path / name).mkdir(parents=True)

    watched = [str(folder.relative_to(tmp_path)) for folder in watched_folders(paths)]

    assert watched == ["site", "site/groups.d", "site/nodes.d", "site/overlays", "data/templates"]


def test_a_file_in_the_place_of_a_folder_is_not_watched(tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    paths.site.mkdir()
    paths.node_files.write_text("")

    assert list(watched_folders(paths)) == [paths.site]


def test_a_folder_made_in_the_place_of_one_that_was_removed_is_told_from_it(tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    paths.node_files.mkdir(parents=True)
    before = watched_folders(paths)

    with held(before):
        paths.node_files.rmdir()
        paths.node_files.mkdir()
        after = watched_folders(paths)

    assert list(after) == list(before)
    assert after[paths.node_files] != before[paths.node_files]
    assert after[paths.site] == before[paths.site]


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("site/nodes.d/rack1.yaml", True),
        ("site/nodes.d/.rack1.yaml.x7k2", False),
        ("site/.provisioner.yaml.new", False),
        ("site/provisioner.yaml", True),
        ("site/nodes.d", True),
        ("site/templates/.boot.ipxe.j2.swp", False),
        ("site/overlays/x/rootfs/etc/.hidden", True),
        ("data/overlays/x/rootfs/etc/.hidden", True),
    ],
)
def test_what_a_writer_makes_to_rename_it_asks_for_no_reload(tmp_path: Path, path: str, read: bool) -> None:
    assert is_read(paths_of(tmp_path), str(tmp_path / path)) is read
