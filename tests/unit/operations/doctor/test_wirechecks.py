"""What machines do before they have a boot, and where they hang."""

from __future__ import annotations

import pytest

from provisioner.model.event import Level
from provisioner.operations.doctor.finding import Severity
from tests.support import resolved
from tests.support.ward import Ward

_STRANGER = "52:54:00:99:00:77"


def test_a_node_whose_dhcp_is_not_answered_gets_the_reason(ward: Ward) -> None:
    ward.saw("dhcp.ignored", "n001 has no address on the network provision for x", program="pxe")

    found = ward.findings()["dhcp-unanswered"]

    assert "no answer: n001 has no address on the network provision" in found.message


def test_a_node_that_is_answered_over_ipv6_needs_no_answer_over_ipv4(ward: Ward) -> None:
    ward.saw("dhcp6.reply", "REQUEST from PXE firmware: fd00::11", ago=90, program="pxe")
    ward.saw("dhcp.ignored", "n001 has no address on the network provision for x", program="pxe")

    assert "dhcp-unanswered" not in ward.findings()


def test_a_relay_of_a_network_that_nobody_wrote_is_named_once(ward: Ward) -> None:
    for ago in (90, 60):
        ward.saw("dhcp.ignored", "no network of this site holds 10.77.0.1", ago=ago, program="pxe")

    assert ward.findings()["relay-unknown"].subject == "10.77.0.1"


def test_offers_that_are_never_taken_are_told_apart_from_a_lost_reply(ward: Ward) -> None:
    for ago in (62, 61):
        ward.saw("dhcp.offer", ago=ago, program="pxe")
    assert ward.findings() == {}

    ward.events.clear()
    for ago in (60, 50, 40):
        ward.saw("dhcp.offer", ago=ago, program="pxe")

    assert "offer-not-taken" in ward.findings()


@pytest.mark.parametrize(
    ("name", "message"),
    [("dhcp.foreign", "10.0.0.66 offered 10.0.0.99"), ("dhcp.ignored", "it chose the server 10.0.0.66")],
)
def test_a_foreign_dhcp_server_is_a_fault(ward: Ward, name: str, message: str) -> None:
    ward.saw(name, message, ago=10)

    assert message in ward.findings()["foreign-dhcp"].message


def test_two_machines_with_one_address_are_shown_with_the_address(ward: Ward) -> None:
    ward.saw("dhcp.decline", address="10.0.1.1", level=Level.WARNING)

    assert "arping -c 3 -I prov0 10.0.1.1" in ward.findings()["address-taken"].fix


def test_a_machine_that_is_refused_its_address_again_and_again_is_named(ward: Ward) -> None:
    for ago in range(50, 0, -10):
        ward.saw("dhcp.nak", "10.3.0.1 is not for it", ago=ago)

    assert ward.findings()["nak-loop"].nodes == ("n001",)


def test_firmware_that_never_asks_for_the_loader_points_at_tftp(ward: Ward) -> None:
    ward.saw("dhcp.ack", program="pxe", firmware="bios")

    found = ward.findings()["loader-not-fetched"]

    assert (found.severity, found.subject) == (Severity.FAULT, "n001")
    assert "firewall-cmd --permanent --add-service=tftp" in found.fix


def test_firmware_that_got_its_address_a_moment_ago_is_not_said_to_hang(ward: Ward) -> None:
    ward.saw("dhcp.ack", ago=5, program="pxe", firmware="bios")

    assert ward.findings() == {}


def test_firmware_without_a_loader_of_its_kind_is_named(ward: Ward) -> None:
    ward.saw("dhcp.ack", program="pxe", firmware="unknown")

    assert set(ward.findings()) == {"firmware-unknown"}


def test_firmware_that_never_answers_the_first_packet_is_told_of_packet_filters(ward: Ward) -> None:
    ward.saw("dhcp.ack", ago=70, program="pxe", firmware="bios").saw("loader.unheard", "never answered")

    assert "networks.NAME.tftp: {one_port: true}" in " ".join(ward.findings()["loader-unheard"].fix)


def test_a_loader_that_is_broken_off_is_shown_with_its_reason(ward: Ward) -> None:
    ward.saw("dhcp.ack", ago=70, program="pxe", firmware="bios").saw("loader.failed", "silent after block 3")

    assert "silent after block 3" in ward.findings()["loader-broken"].message


def test_a_loader_that_comes_back_with_nothing_is_a_loop(ward: Ward) -> None:
    for ago in (500, 300, 100):
        ward.saw("dhcp.ack", ago=ago + 1, program="pxe", firmware="efi-x64").saw("loader.sent", ago=ago)

    assert "fetched a loader 3 times" in ward.findings()["loader-loop"].message


def test_a_loader_that_speaks_by_ipxe_afterwards_is_no_loop(ward: Ward) -> None:
    for ago in (500, 300, 100):
        ward.saw("loader.sent", ago=ago).saw("dhcp.ack", ago=ago - 1, program="ipxe", firmware="efi-x64")
    ward.saw("script.boot", ago=90)

    assert ward.findings() == {}


def test_a_loader_that_speaks_by_its_script_alone_is_no_loop_either(ward: Ward) -> None:
    for ago in (500, 300, 100):
        ward.saw("loader.sent", ago=ago)
    ward.saw("script.boot", ago=90)

    assert ward.findings() == {}


def test_ipxe_that_never_asks_for_its_script_points_at_http(ward: Ward) -> None:
    ward.saw("dhcp.ack", program="ipxe", firmware="bios")

    assert "port 8080" in ward.findings()["script-not-fetched"].message


def test_a_loader_that_is_asked_for_and_not_there_is_named(ward: Ward) -> None:
    ward.saw("loader.missing", "there is no grubx64.efi", level=Level.WARNING)

    assert "grubx64.efi" in ward.findings()["loader-missing"].message


def test_alarms_of_one_kind_about_one_node_are_one_finding(ward: Ward) -> None:
    for ago in (30, 20):
        ward.saw("access.denied", "the stage is closed", ago=ago, node="n001", level=Level.ALARM)

    found = ward.findings()["token-alarm"]

    assert (found.subject, found.message) == ("n001", "2 alarms access.denied: the stage is closed")


def test_an_alarm_that_the_doctor_does_not_know_is_shown_all_the_same(ward: Ward) -> None:
    ward.saw("site.strange", "never seen before", level=Level.ALARM, mac=None)

    assert "never seen before" in ward.findings()["alarm"].message


@pytest.mark.parametrize("mac", ["52:54:00:00:00:11", "52:54:00:00:10:00"])
def test_a_mac_with_a_slip_of_the_finger_gets_the_command_that_mends_it(ward: Ward, mac: str) -> None:
    ward.saw("dhcp.ignored", "no node has it, and the network provision has no pool", mac=mac)

    found = ward.findings().get("mac-typo")

    assert (found is not None) == (mac == "52:54:00:00:00:11")
    if found:
        assert found.fix == (f"prov node set n001 interfaces.eth0.mac={mac}",)


def test_a_mac_that_is_near_to_one_that_was_seen_is_no_slip(ward: Ward) -> None:
    ward.saw("dhcp.ack", program="system").saw("dhcp.ack", program="system", mac="52:54:00:00:00:12")
    ward.saw("dhcp.ack", program="system", mac=resolved.MAC2)

    assert set(ward.findings()) == {"machines-unknown"}


def test_machines_that_are_no_nodes_are_a_note_that_leads_to_discovery(ward: Ward) -> None:
    ward.saw("script.unknown", mac=_STRANGER, level=Level.WARNING)

    found = ward.findings()["machines-unknown"]

    assert (found.severity, found.fix) == (Severity.NOTE, ("prov discover",))


def test_two_nodes_whose_machines_show_one_uuid_are_named(ward: Ward) -> None:
    ward.saw("dhcp.ack", program="system", uuid="a" * 32)
    ward.saw("dhcp.ack", program="system", uuid="A" * 32, mac=resolved.MAC2)

    assert ward.findings()["uuid-shared"].subject == "n[001-002]"


def test_a_machine_with_another_processor_than_its_image_is_a_fault(ward: Ward) -> None:
    ward.saw("dhcp.ack", ago=20, program="pxe", firmware="efi-arm64")

    assert "the machine is aarch64" in ward.findings()["architecture-differs"].message


def test_packets_that_are_none_are_counted(ward: Ward) -> None:
    for _ in range(3):
        ward.saw("dhcp.malformed", "shorter than 240 bytes", mac=None, level=Level.WARNING)

    assert "3 packets" in ward.findings()["packets-odd"].message


def test_what_machines_did_yesterday_is_no_fault_of_today(ward: Ward) -> None:
    ward.saw("dhcp.ack", ago=7200, program="pxe", firmware="bios")

    assert ward.findings() == {}
