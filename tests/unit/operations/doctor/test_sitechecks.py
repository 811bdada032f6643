"""What is wrong with what is written, and with what it names."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from provisioner.errors import Problem
from provisioner.model.catalogue import Catalogue
from provisioner.operations.doctor.finding import Severity
from tests.support import resolved
from tests.support.ward import HEALTHY, Ward, nodes


def test_mistakes_in_what_is_written_are_shown_with_their_places(ward: Ward) -> None:
    ward.facts["problems"] = (Problem("nodes.d/a.yaml", 3, 5, "unknown group 'x'"),)

    found = ward.findings()["site-mistakes"]

    assert found.evidence[0].text == "nodes.d/a.yaml:3:5: unknown group 'x'"
    assert found.fix == ("prov check",)


def test_overlays_that_cannot_be_rendered_are_a_fault(ward: Ward) -> None:
    ward.facts["unrenderable"] = (Problem("overlays/a/rootfs/b.j2", 1, 0, "no such field"),)

    assert ward.findings()["overlay-unrenderable"].severity is Severity.FAULT


def test_nodes_that_would_be_refused_for_the_same_reason_are_one_finding(ward: Ward) -> None:
    ward.facts["catalogue"] = Catalogue()

    found = ward.findings()["node-refused"]

    assert found.subject == "n[001-002]"
    assert found.message == "cannot boot: the image debian-12 of n[001-002] does not exist"


def test_a_node_without_an_image_gets_the_command_that_gives_it_one(ward: Ward) -> None:
    ward.facts["snapshot"] = nodes(image=None)

    assert ward.findings()["node-refused"].fix == ("prov node set n001 --image NAME",)


def test_a_damaged_image_names_the_nodes_that_boot_it(ward: Ward) -> None:
    ward.facts["damaged"] = {"debian-12@1": "its root has 3 bytes, and should have 74"}

    found = ward.findings()["image-damaged"]

    assert (found.nodes, found.fix[0]) == (("n001", "n002"), "prov image verify debian-12")


def test_nodes_with_one_uuid_or_serial_number_are_named(ward: Ward) -> None:
    twin = UUID("12345678-9abc-def0-1122-334455667788")
    first = resolved.node(uuid=twin, system_overlays=("agent",))
    second = resolved.node("n002", mac=resolved.MAC2, host=2, uuid=twin, system_overlays=("agent",))
    ward.facts["snapshot"] = resolved.snapshot(first, second)

    found = ward.findings()["identity-shared"]

    assert (found.subject, found.severity) == ("n[001-002]", Severity.WARNING)


def test_a_loader_that_is_not_installed_is_a_fault(ward: Ward) -> None:
    ward.facts["host"] = replace(HEALTHY, loaders=frozenset({"undionly.kpxe"}))

    assert "snponly.efi" in ward.findings()["loader-absent"].message


def test_a_node_without_an_agent_is_known_before_it_boots(ward: Ward) -> None:
    ward.facts["snapshot"] = resolved.snapshot(resolved.node())

    assert ward.findings()["agent-absent"].fix == ("prov node set n001 overlays.system+=agent",)


def test_a_machine_that_finds_the_pool_full_shows_the_pool(ward: Ward) -> None:
    ward.saw(
        "dhcp.ignored",
        "no node has the MAC x, and the pool of the network provision is full",
        mac="52:54:00:99:00:01",
    )

    assert ward.findings()["pool-full"].severity is Severity.FAULT


def test_unknown_machines_in_a_network_without_a_pool_are_a_note(ward: Ward) -> None:
    ward.saw(
        "dhcp.ignored", "no node has the MAC x, and the network provision has no pool", mac="52:54:00:99:00:01"
    )

    assert ward.findings()["pool-absent"].severity is Severity.NOTE
