"""Rendering a node's overlays for people to look at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, UnavailableError
from provisioner.operations.overlayrender import render_overlays
from provisioner.trust.sitekey import SiteKey
from tests.support.site import SITE, write_site


def site(root: Path) -> Paths:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": "nodes: {n001: {overlays: {system: [motd], runtime: []}}}\n",
        "overlays/motd/rootfs/etc/motd.j2": "{{ node.name }}\n",
    }
    return write_site(root, files)


def test_a_node_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no node n002"):
        render_overlays(site(tmp_path / "site"), "n002", tmp_path / "out")


def test_what_was_checked_is_what_is_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = site(tmp_path / "site")
    key = SiteKey.load_or_create(paths.keys)

    def edited_meanwhile(_folder: Path) -> SiteKey:
        (paths.site / "overlays/motd/rootfs/etc/motd.j2").write_text("an edit between check and rendering")
        return key

    monkeypatch.setattr(SiteKey, "load_or_create", edited_meanwhile)

    with pytest.raises(UnavailableError, match=re.escape(f"{paths.site} changed while they were looked at")):
        render_overlays(paths, "n001", tmp_path / "out")
