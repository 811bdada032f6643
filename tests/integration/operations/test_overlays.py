"""The files of a node's overlays in a folder, for people to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.operations.overlayrender import render_overlays
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration


def test_the_files_of_a_node_are_written_before_any_daemon_ran(tmp_path: Path) -> None:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": "nodes: {n001: {overlays: {system: [motd], runtime: []}}}\n",
        "overlays/motd/rootfs/etc/motd.j2": "{{ node.name }}\n",
    }
    paths = write_site(tmp_path / "site", files)

    render_overlays(paths, "n001", tmp_path / "out")

    assert (tmp_path / "out/etc/motd").read_text() == "n001\n"
    assert (paths.keys / "site.key").stat().st_mode & 0o777 == 0o600


def test_the_nodes_of_a_set_get_a_folder_each(tmp_path: Path) -> None:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": "nodes: {'n[001-002]': {overlays: {system: [motd], runtime: []}}}\n",
        "overlays/motd/rootfs/etc/motd.j2": "{{ node.name }}\n",
    }
    paths = write_site(tmp_path / "site", files)

    render_overlays(paths, "n[001-002]", tmp_path / "out")

    assert [(tmp_path / f"out/{name}/etc/motd").read_text() for name in ("n001", "n002")] == ["n001\n", "n002\n"]
