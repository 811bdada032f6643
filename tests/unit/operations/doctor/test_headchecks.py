"""What is wrong with the head node itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from provisioner.model.written import Network
from provisioner.operations.doctor.finding import Severity
from provisioner.operations.doctor.hostfacts import Device, Disk, Expiry, Listener
from tests.support import resolved
from tests.support.ward import DAEMON, HEAD, HEALTHY, NOW, Ward, nodes

_NFT = """\
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        tcp dport 22 accept
        %s
    }
}
"""


def test_a_head_node_with_nothing_wrong_has_no_findings(ward: Ward) -> None:
    assert ward.findings() == {}


def test_a_daemon_that_does_not_run_is_a_fault_with_the_command_that_starts_it(ward: Ward) -> None:
    ward.facts["daemon"] = None

    found = ward.findings()["daemon-down"]

    assert found.severity is Severity.FAULT
    assert found.fix == (f"prov --root {ward.folder} serve",)


def test_a_daemon_that_does_not_answer_is_told_from_one_that_does_not_run(ward: Ward) -> None:
    ward.facts.update(daemon=None, daemon_fault="timed out")

    assert "timed out" in ward.findings()["daemon-silent"].message


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"addresses": {}}, "address-missing", "10.0.0.1"),
        ({"devices": {"prov0": Device(up=False, mtu=1500)}}, "link-down", "prov0"),
        ({"listeners": ()}, "port-unserved", "tcp port 8080 (HTTP)"),
        ({"neighbours": 2}, "neighbours-few", "2 neighbours"),
        ({"synchronised": False}, "clock-free", "clock"),
        ({"exposed": (("/x/site.key", 0o644),)}, "secret-exposed", "/x/site.key (mode 644)"),
        ({"certificates": (Expiry("/x/ca.pem", NOW + 86400),)}, "certificate-ends", "ends on 2027-01-16"),
        ({"certificates": (Expiry("/x/ca.pem", NOW - 86400),)}, "certificate-ends", "ended on 2027-01-14"),
        ({"disks": (Disk("/var", 1 << 20, 1 << 40, 9999, 9999),)}, "disk-full", "1 MiB left"),
        ({"disks": (Disk("/var", 1 << 39, 1 << 40, 3, 9999),)}, "disk-full", "3 inodes"),
        ({"ruleset": _NFT % ""}, "firewall-drops", "DHCP (udp 67)"),
        (
            {"ruleset": ":INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\n"},
            "firewall-drops",
            "HTTP (tcp 8080)",
        ),
    ],
)
def test_what_this_machine_lacks_is_named(ward: Ward, changes: Mapping[str, Any], check: str, words: str) -> None:
    ward.facts["host"] = replace(HEALTHY, **changes)

    found = ward.findings()

    assert set(found) == {check}
    assert words in found[check].message
    assert found[check].fix


def test_the_network_of_a_daemon_in_another_namespace_is_not_judged_from_here(ward: Ward) -> None:
    ward.facts["daemon"] = {**DAEMON, "namespace": 4026532222}
    ward.facts["host"] = replace(HEALTHY, addresses={}, listeners=(), neighbours=2, namespace=4026531840)

    found = ward.findings()

    assert set(found) == {"other-namespace"}
    assert found["other-namespace"].severity is Severity.NOTE
    assert "lsns --noheadings --output PID 4026532222" in found["other-namespace"].fix[0]


def test_the_network_of_a_daemon_in_the_same_namespace_is_judged(ward: Ward) -> None:
    ward.facts["daemon"] = {**DAEMON, "namespace": 4026531840}
    ward.facts["host"] = replace(HEALTHY, addresses={}, namespace=4026531840)

    assert set(ward.findings()) == {"address-missing"}


def test_a_packet_filter_that_names_our_ports_is_no_finding(ward: Ward) -> None:
    opened = "udp dport { 53, 60-69 } accept\n        tcp dport 8080 accept"
    ward.facts["host"] = replace(HEALTHY, ruleset=_NFT % opened)

    assert ward.findings() == {}


@pytest.mark.parametrize("address", [str(HEAD), "0.0.0.0", "::"])
def test_another_program_on_our_port_is_named(ward: Ward, address: str) -> None:
    intruder = Listener("udp", address, 67, 99, "dnsmasq")
    ward.facts["host"] = replace(HEALTHY, listeners=(*(HEALTHY.listeners or ()), intruder))

    found = ward.findings()["port-taken"]

    assert "dnsmasq listens on udp port 67, which is for DHCP" in found.message
    assert "systemctl disable --now dnsmasq" in found.fix


def test_a_resolver_on_an_address_of_its_own_is_in_nobodys_way(ward: Ward) -> None:
    resolver = Listener("udp", "127.0.0.53", 53, 99, "systemd-resolve")
    ward.facts["host"] = replace(HEALTHY, listeners=(*(HEALTHY.listeners or ()), resolver))

    assert ward.findings() == {}


def test_where_nobody_may_look_at_sockets_nothing_is_said_of_ports(ward: Ward) -> None:
    ward.facts["host"] = replace(HEALTHY, listeners=None)

    assert ward.findings() == {}


def test_a_device_with_a_smaller_mtu_than_its_network_is_a_fault(ward: Ward) -> None:
    snapshot = nodes()
    network = snapshot.site.networks["provision"].model_copy(update={"mtu": 9000})
    site = snapshot.site.model_copy(update={"networks": {"provision": network}})
    ward.facts["snapshot"] = replace(snapshot, site=site)

    found = ward.findings()["mtu-differs"]

    assert (found.severity, found.fix) == (Severity.FAULT, ("ip link set prov0 mtu 9000",))


def test_a_strict_filter_by_route_matters_where_relays_are_used(ward: Ward) -> None:
    strict = replace(HEALTHY, devices={"prov0": Device(up=True, mtu=1500, rp_filter=1)})
    ward.facts["host"] = strict
    assert ward.findings() == {}

    ward.saw("dhcp.ack", program="system", relay="10.9.0.1")

    assert "10.9.0.1" in ward.findings()["rp-filter-strict"].evidence[0].text


def test_events_from_the_future_show_that_the_clock_went_back(ward: Ward) -> None:
    ward.saw("site.started", ago=-7200, mac=None)

    assert ward.findings()["clock-jumped"].severity is Severity.FAULT


def test_what_cannot_be_read_is_said_and_does_not_end_the_look(ward: Ward) -> None:
    ward.facts["unreadable"] = ("the events file cannot be read",)

    assert "events file" in ward.findings()["unreadable"].message


def test_a_network_where_the_head_node_is_not_needed_lacks_nothing(ward: Ward) -> None:
    snapshot = nodes()
    storage = Network.model_validate({"cidr": "10.7.0.0/16", "dhcp": "off"})
    networks = {**snapshot.site.networks, "storage": storage}
    ward.facts["snapshot"] = replace(snapshot, site=resolved.site(networks=networks))

    assert ward.findings() == {}
