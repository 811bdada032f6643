"""Compiled snapshots on the disk; reading them back is in tests/integration/registry/test_store.py."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from provisioner.errors import IntegrityError, NotFoundError
from provisioner.model.snapshot import Snapshot
from provisioner.registry.store import publish, read_current, read_snapshot, set_current
from tests.support.site import examined, write_site

NODES = """\
nodes:
  n[1-3]: {tags: {rack: "ü"}, kernel: {args: [quiet]}, interfaces: {eth0: {ip: 10.0.1.1+}}}
  n1: {interfaces: {eth0: {mac: "52:54:00:00:00:0a"}}}
"""


def snapshot_of(nodes: str, revision: str) -> Snapshot:
    site = examined({"nodes.d/a.yaml": nodes})
    assert site.loaded is not None
    return site.loaded.snapshot(revision)


def test_a_published_snapshot_is_private_to_the_group_and_alone(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {})

    path = publish(paths, snapshot_of(NODES, "abc"))

    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(paths.snapshots.iterdir()) == [path]


def test_publishing_twice_leaves_the_first_file(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {})
    first = publish(paths, snapshot_of(NODES, "abc")).stat().st_ino

    assert publish(paths, snapshot_of(NODES, "abc")).stat().st_ino == first


def test_macs_and_addresses_are_indexed(tmp_path: Path) -> None:
    path = publish(write_site(tmp_path, {}), snapshot_of(NODES, "abc"))

    with closing(sqlite3.connect(path)) as database:
        macs = database.execute("SELECT mac, node FROM mac").fetchall()
        addresses = database.execute("SELECT address, node FROM address ORDER BY address").fetchall()

    assert macs == [("52:54:00:00:00:0a", "n1")]
    assert addresses == [("10.0.1.1", "n1"), ("10.0.1.2", "n2"), ("10.0.1.3", "n3")]


def test_the_current_revision_is_one_that_is_published(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {})
    assert read_current(paths) is None
    publish(paths, snapshot_of(NODES, "abc"))

    set_current(paths, "abc")
    with pytest.raises(NotFoundError, match="is not published"):
        set_current(paths, "def")

    assert read_current(paths) == "abc"


@pytest.mark.parametrize("name", ["def", "../abc", ""])
def test_a_snapshot_that_was_never_published_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFoundError):
        read_snapshot(write_site(tmp_path, {}), name)


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000])
def test_a_damaged_snapshot_is_named_with_the_command_that_mends_it(tmp_path: Path, content: bytes) -> None:
    paths = write_site(tmp_path, {})
    path = publish(paths, snapshot_of(NODES, "abc"))
    path.write_bytes(content)

    with pytest.raises(IntegrityError, match="is damaged") as caught:
        read_snapshot(paths, "abc")

    assert str(caught.value.hint).startswith(f"rm {path}; ")
