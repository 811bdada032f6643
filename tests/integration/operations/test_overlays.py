"""The files of a node's overlays in a folder, for people to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.operations.overlays import render_overlays
from provisioner.trust.sitekey import SiteKey
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration


def test_the_files_of_a_node_are_written_below_the_folder(tmp_path: Path) -> None:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": "nodes: {n001: {overlays: {system: [motd], runtime: []}}}\n",
        "overlays/motd/rootfs/etc/motd.j2": "{{ node.name }}\n",
    }
    paths = write_site(tmp_path / "site", files)
    SiteKey.load_or_create(paths.keys)

    render_overlays(paths, "n001", tmp_path / "out")

    assert (tmp_path / "out/etc/motd").read_text() == "n001\n"
