"""Compiled snapshots read back from the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.model.snapshot import Snapshot
from provisioner.registry.store import publish, read_node, read_snapshot
from tests.support.site import examined, write_site

pytestmark = pytest.mark.integration

NODES = """\
nodes:
  n[1-3]: {tags: {rack: "ü"}, kernel: {args: [quiet]}, interfaces: {eth0: {ip: 10.0.1.1+}}}
  n1: {interfaces: {eth0: {mac: "52:54:00:00:00:0a"}}}
"""


def snapshot_of(nodes: str, revision: str) -> Snapshot:
    site = examined({"nodes.d/a.yaml": nodes})
    assert site.loaded is not None
    return site.loaded.snapshot(revision)


def test_a_snapshot_reads_back_as_it_was(tmp_path: Path) -> None:
    paths, snapshot = write_site(tmp_path, {}), snapshot_of(NODES, "abc")

    publish(paths, snapshot)

    assert read_snapshot(paths, "abc") == snapshot


def test_one_node_can_be_read_alone(tmp_path: Path) -> None:
    paths, snapshot = write_site(tmp_path, {}), snapshot_of(NODES, "abc")
    publish(paths, snapshot)

    assert read_node(paths, "abc", "n1") == snapshot.nodes["n1"]
    assert read_node(paths, "abc", "n9") is None


def test_reading_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {})
    path = publish(paths, snapshot_of(NODES, "abc"))

    read_snapshot(paths, "abc")

    assert list(paths.snapshots.iterdir()) == [path]
