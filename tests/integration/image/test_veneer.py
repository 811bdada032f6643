"""Layers of overlay files: where they are put, and that overlayfs shows what a node would have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.archive.tree import Entry, Kind
from provisioner.image import veneer

pytestmark = [pytest.mark.integration, pytest.mark.root]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib").chmod(0o711)
    (root / "lib").symlink_to("/usr/lib")
    (root / "out").symlink_to(tmp_path)
    (root / "etc").mkdir()
    (root / "etc/old").write_text("old")
    return root


def test_files_go_where_the_links_of_the_image_lead_and_never_out(tree: Path, tmp_path: Path) -> None:
    entries = [Entry("lib/x", Kind.FILE, b"x", 0o640, 5, 6), Entry("out/y", Kind.FILE, b"y")]

    veneer.write(tmp_path / "layer", tree, entries, [])

    layer = tmp_path / "layer"
    found = (layer / "usr/lib/x").stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o640, 5, 6)
    assert (layer / "usr/lib").stat().st_mode & 0o7777 == 0o711
    assert not (tmp_path / "y").exists()
    assert (layer / tmp_path.relative_to("/") / "y").read_bytes() == b"y"


def test_a_link_and_a_folder_are_what_the_entry_says(tree: Path, tmp_path: Path) -> None:
    entries = [Entry("etc/link", Kind.SYMLINK, b"/nowhere"), Entry("etc/folder", Kind.DIRECTORY, mode=0o700)]

    veneer.write(tmp_path / "layer", tree, [*entries, Entry("lib", Kind.DIRECTORY, mode=0o555)], [])

    assert str((tmp_path / "layer/etc/link").readlink()) == "/nowhere"
    assert (tmp_path / "layer/etc/folder").stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "layer/usr/lib").stat().st_mode & 0o7777 == 0o555


def test_what_is_removed_is_hidden_unless_it_comes_back(tree: Path, tmp_path: Path) -> None:
    entries = [Entry("usr/lib", Kind.DIRECTORY, mode=0o750)]

    veneer.write(tmp_path / "layer", tree, entries, ["etc/old", "usr/lib", "no/such"])

    assert (tmp_path / "layer/etc/old").lstat().st_rdev == os.makedev(0, 0)
    assert os.getxattr(tmp_path / "layer/usr/lib", "trusted.overlay.opaque") == b"y"
    assert not (tmp_path / "layer/no").exists()
