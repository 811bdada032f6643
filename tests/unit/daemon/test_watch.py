"""Which folders are watched for edits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.daemon.watch import watched_folders


def paths_of(folder: Path) -> Paths:
    return replace(Paths.below(folder / "site"), data=folder / "data")


def test_folders_that_people_write_in_are_watched_and_state_is_not(tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    for name in ("site/groups.d", "site/nodes.d", "site/overlays", "site/var", "site/run", "data/templates"):
        (tmp_path / name).mkdir(parents=True)

    watched = [str(folder.relative_to(tmp_path)) for folder in watched_folders(paths)]

    assert watched == ["site/groups.d", "site/nodes.d", "site/overlays", "data/templates"]


def test_a_file_in_the_place_of_a_folder_is_not_watched(tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    paths.site.mkdir()
    paths.node_files.write_text("")

    assert watched_folders(paths) == []
