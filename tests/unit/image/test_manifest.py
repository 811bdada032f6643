from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.image.manifest import entries_of, write


def make_tree(root: Path) -> None:
    (root / "b").mkdir(parents=True)
    (root / "b/file").write_text("content")
    (root / "a").symlink_to("/target")
    os.link(root / "b/file", root / "b/second")
    os.mkfifo(root / "pipe")


def tree_id(root: Path, output: Path) -> str:
    return write(root, output).tree


def test_the_digest_of_the_list_is_the_name_of_the_tree(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")

    found = write(tmp_path / "tree", tmp_path / "list")

    assert found.tree == f"sha256:{hashlib.sha256((tmp_path / 'list').read_bytes()).hexdigest()}"
    assert (found.entries, found.size) == (6, 7)


def test_the_list_is_sorted_and_names_hard_links(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")

    found = [(entry["path"], entry["type"], entry.get("target")) for entry in entries_of(tmp_path / "tree")]

    assert found == [
        (".", "directory", None),
        ("a", "link", "/target"),
        ("b", "directory", None),
        ("b/file", "file", None),
        ("b/second", "hard-link", "b/file"),
        ("pipe", "pipe", None),
    ]


def test_equal_content_at_another_time_has_the_same_name(tmp_path: Path) -> None:
    make_tree(tmp_path / "one")
    make_tree(tmp_path / "two")
    os.utime(tmp_path / "two/b/file", (1, 1))

    assert tree_id(tmp_path / "one", tmp_path / "list") == tree_id(tmp_path / "two", tmp_path / "list")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "b/file").write_text("Content"),
        lambda root: (root / "b/file").chmod(0o600),
        lambda root: (root / "new").touch(),
        lambda root: (root / "b/second").write_bytes((root / "b/second").read_bytes() + b"x"),
        lambda root: (root / "a").unlink() or (root / "a").symlink_to("/other"),
        lambda root: os.setxattr(root / "b/file", "user.x", b"1"),
    ],
    ids=["content", "mode", "new-entry", "longer", "link", "attribute"],
)
def test_any_change_that_a_node_would_see_changes_the_name(tmp_path: Path, change: Callable[[Path], None]) -> None:
    make_tree(tmp_path / "tree")
    before = tree_id(tmp_path / "tree", tmp_path / "list")

    change(tmp_path / "tree")

    assert tree_id(tmp_path / "tree", tmp_path / "list") != before


def test_a_name_that_is_no_utf_8_is_kept(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / os.fsdecode(b"\xe4")).touch()

    write(tmp_path / "tree", tmp_path / "list")

    last = json.loads((tmp_path / "list").read_text().splitlines()[-1])
    assert os.fsencode(last["path"]) == b"\xe4"
