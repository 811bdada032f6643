"""Nodes: add, change, delete, look."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import ConfigError, NotFoundError, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.operations.nodes import add_nodes, delete_nodes, find_node, set_nodes, usable_site
from provisioner.registry.changes import Changes
from tests.support.site import SITE, write_site

EMPTY = Catalogue()


def test_a_rack_is_added_and_one_node_gets_its_mac(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE})

    add_nodes(paths, EMPTY, "n[001-004]", Changes(ip="10.0.1.1+"))
    set_nodes(paths, EMPTY, "n001", Changes(mac="52:54:00:00:00:01"))

    assert (paths.node_files / "nodes.yaml").read_text() == (
        "nodes:\n"
        "  n[001-004]: {interfaces: {eth0: {ip: 10.0.1.1+}}}\n"
        '  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}\n'
    )
    site, problems = usable_site(paths, EMPTY)
    assert problems == 0
    assert [str(node.interfaces[0].ip) for node in site.nodes][-1] == "10.0.1.4/16"


def test_a_deleted_node_is_gone(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": "nodes:\n  n1:\n  n2:\n"})

    assert delete_nodes(paths, EMPTY, "n1").files == ("nodes.d/a.yaml",)

    site, _ = usable_site(paths, EMPTY)
    assert find_node(site, "n2").name == "n2"
    with pytest.raises(NotFoundError, match="there is no node n1"):
        find_node(site, "n1")


def test_a_mac_is_for_one_node(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE})

    with pytest.raises(ProvisionerError, match=r"a MAC belongs to one node, and n\[1-2\] is 2"):
        add_nodes(paths, EMPTY, "n[1-2]", Changes(mac="52:54:00:00:00:01"))


def test_nothing_to_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProvisionerError, match="nothing to set"):
        set_nodes(write_site(tmp_path, {}), EMPTY, "n1", Changes())


def test_an_address_that_is_taken_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE})
    add_nodes(paths, EMPTY, "n1", Changes(ip="10.0.1.1"))
    before = (paths.node_files / "nodes.yaml").read_bytes()

    with pytest.raises(ConfigError, match="belongs to n1 already"):
        add_nodes(paths, EMPTY, "n2", Changes(ip="10.0.1.1"))

    assert (paths.node_files / "nodes.yaml").read_bytes() == before


def test_a_site_with_a_mistake_can_be_looked_at(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": "nodes: {n1: {image: x}}\n"})

    site, problems = usable_site(paths, EMPTY)

    assert (len(site.nodes), problems) == (1, 1)


def test_a_folder_that_is_no_site_cannot(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no site here"):
        usable_site(write_site(tmp_path, {}), EMPTY)
