"""Looking at a tree of the store, bare and with layers on it: what is seen, and that nothing is changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from provisioner.image.chamber import look_inside
from tests.support import busybox

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("busybox")]


def look(tree: Path, script: str, *layers: Path, binds: tuple[str, ...] = (), network: bool = False) -> str:
    """What a shell script prints that sees the tree; it must succeed."""
    mount, log = tree.parent / "mount", tree.parent / "log"
    mount.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    command = ["sh", "-ec", script]
    status = look_inside(tree, command, mount=mount, layers=layers, binds=binds, network=network, log=log)
    assert status == 0, log.read_text()
    assert list(mount.iterdir()) == []
    return log.read_text()


def test_a_tree_without_folders_to_mount_on_is_seen_and_untouched(tmp_path: Path) -> None:
    tree = busybox.tree(tmp_path / "with:colon,comma/tree", folders=("etc",))
    before = busybox.everything(tree)

    printed = look(tree, "! touch /etc/file; cat /etc/resolv.conf; ls /proc/self/status", network=True)

    assert printed.endswith("/proc/self/status\n")
    assert busybox.everything(tree) == before


def test_layers_lie_on_the_tree_and_can_hide_what_is_there(tmp_path: Path) -> None:
    tree, low, top = busybox.tree(tmp_path / "tree"), tmp_path / "low", tmp_path / "top"
    for folder, text in ((tree, "tree"), (low, "low"), (top, "top")):
        (folder / "etc").mkdir(parents=True, exist_ok=True)
        (folder / "etc" / text).write_text(f"{text}\n")
        (folder / "etc/all").write_text(f"{text}\n")
    os.mknod(top / "etc/tree", stat.S_IFCHR, os.makedev(0, 0))

    assert look(tree, "cd /etc; ls; cat all", low, top).split() == ["all", "low", "top", "top"]


def test_binds_are_seen(tmp_path: Path) -> None:
    tree = busybox.tree(tmp_path / "tree")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("data")

    assert look(tree, "cat /srv/x/file", binds=(f"{tmp_path}/data:/srv/x:ro",)) == "data"
    assert not (tree / "srv").exists()
