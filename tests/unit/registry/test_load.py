"""Files to a site, or to every mistake in them."""

from __future__ import annotations

import pytest

from provisioner.errors import ConfigError
from provisioner.model.catalogue import Catalogue
from provisioner.registry.load import load
from tests.support.site import OVERLAYS, SCRIPTS, SITE, examined


def test_a_site_becomes_a_snapshot_that_finds_nodes_by_name_mac_and_address() -> None:
    nodes = "nodes: {n1: {interfaces: {e: {mac: '52:54:00:00:00:0a', ip: 10.0.1.1}}}}\n"
    files = {"provisioner.yaml": SITE.encode(), "nodes.d/a.yaml": nodes.encode()}

    loaded = load(files, catalogue=Catalogue(), overlays=OVERLAYS, scripts=SCRIPTS)
    snapshot = loaded.snapshot("r")

    (interface,) = snapshot.nodes["n1"].interfaces
    assert interface.mac is not None
    assert interface.ip is not None
    assert snapshot.by_mac[interface.mac] is snapshot.by_address[interface.ip.ip] is snapshot.nodes["n1"]


def test_all_mistakes_of_all_files_are_raised_together() -> None:
    files = {
        "provisioner.yaml": b"cluster: [\n",
        "groups.d/g.yaml": b"groups: {g: {groups: [g]}}\n",
        "nodes.d/a.yaml": b"nodes: {n1: {imge: x}}\n",
    }

    with pytest.raises(ConfigError) as caught:
        load(files, catalogue=Catalogue(), overlays=OVERLAYS, scripts=SCRIPTS)

    assert [problem.file for problem in caught.value.problems] == sorted(files)


def test_without_a_site_file_the_hint_is_how_to_make_one() -> None:
    with pytest.raises(ConfigError, match="there is no site here") as caught:
        load({}, catalogue=Catalogue(), overlays=OVERLAYS, scripts=SCRIPTS)

    assert "prov init" in caught.value.problems[0].hint


def test_a_group_can_be_defined_once_only() -> None:
    (problem,) = examined({"groups.d/a.yaml": "groups: {g: }\n", "groups.d/b.yaml": "groups: {g: }\n"}).problems

    assert (problem.file, problem.message) == ("groups.d/b.yaml", "the group g is already at groups.d/a.yaml:1")


def test_bytes_that_are_no_text_are_a_problem_with_their_place() -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            {"provisioner.yaml": SITE.encode(), "nodes.d/a.yaml": b"nodes:\n  n1: {image: \xff}\n"},
            catalogue=Catalogue(),
            overlays=OVERLAYS,
            scripts=SCRIPTS,
        )

    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.message) == (2, 15, "the file is not UTF-8 text")


def test_a_broken_site_is_read_as_far_as_possible() -> None:
    site = examined({"nodes.d/a.yaml": "nodes: {n1: {image: nope}, n2: {}}\n"})

    assert site.loaded is not None
    assert [node.name for node in site.loaded.nodes] == ["n1", "n2"]
    assert len(site.problems) == 1
