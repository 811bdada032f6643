"""A machine that has an IPv6 address alone: PXE over IPv6, stage 1, and a running system that is ready."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from provisioner.lab.machine import MachineFirmware
from provisioner.model.boot import BootRecord
from tests.support.realsite import RealSite, mac

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

HEAD6, OWN = "fd77::1", "fd77::11"
# Nothing answers it over IPv4.
_NETWORK = f"""\
    dhcp: "off"
    dhcp6: authoritative
    cidr6: fd77::/64
    server6: {HEAD6}
"""
_NODES = f"""\
nodes:
  n001:
    groups: [compute]
    interfaces: {{eth0: {{mac: "{mac(1)}", ip6: "{OWN}"}}}}
"""


@dataclass(frozen=True)
class Booted:
    site: RealSite
    record: BootRecord

    def shell(self, command: str) -> str:
        """Run a command in the node, by ssh over IPv6."""
        quiet = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
        words = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=60", *quiet)
        command_line = [*words, "-i", str(self.site.root / "key"), f"root@{OWN}", command]
        return self.site.lab.run(command_line, timeout=300)


@pytest.fixture(scope="module")
def site(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """A site whose network gives out IPv6 addresses alone, and its one node."""
    made = RealSite.make(tmp_path_factory.mktemp("site"), images)
    dhcp = re.compile(r"^    dhcp: authoritative.*\n", re.MULTILINE)
    written, times = dhcp.subn(_NETWORK, made.paths.site_file.read_text())
    assert times == 1, written
    made.paths.site_file.write_text(written)
    for file in made.paths.node_files.glob("*.yaml"):
        file.unlink()
    (made.paths.node_files / "n.yaml").write_text(_NODES)
    with made as running:
        yield running


@pytest.fixture(scope="module")
def booted(site: RealSite) -> Booted:
    """n001, whose firmware has no PXE over IPv4."""
    site.boot(1, firmware=MachineFirmware.UEFI_V6)
    return Booted(site, site.wait_for_boot("n001"))


def test_it_is_ready(booted: Booted) -> None:
    assert (booted.record.state, booted.record.reason) == ("ready", "")
    assert booted.site.status("n001")["address"] == OWN


def test_the_boot_is_told_from_the_first_packet_on_and_nothing_of_it_came_by_ipv4(booted: Booted) -> None:
    events = booted.site.events("n001")
    # Firmware and iPXE each take an address of their own and give it back.
    names = list(dict.fromkeys(event.name for event in events if event.name != "dhcp6.release"))

    assert names[: names.index("ready") + 1] == [
        *("dhcp6.advertise", "dhcp6.reply", "loader.sent", "script.boot", "kernel.sent", "stage1.sent"),
        *("stage1.started", "sheet.sent", "root.sent", "image.verified"),
        *("overlay.sent", "overlay.applied", "handover.done", "system.report", "ready"),
    ]
    addresses = {event.address for event in events if event.address}
    assert OWN in addresses
    assert {ip_address(each).version for each in addresses} == {6}


def test_the_system_has_this_address_and_none_of_ipv4(booted: Booted) -> None:
    assert f"inet6 {OWN}/64 scope global" in booted.shell("ip -6 address show dev eth0")
    assert booted.shell("ip -4 -oneline address show dev eth0") == ""
    assert booted.shell("systemctl --failed --plain --no-legend") == ""


def test_it_speaks_to_the_head_node_by_name_and_by_url_over_ipv6(booted: Booted) -> None:
    assert booted.shell("cat /run/provisioner/url") == f"http://[{HEAD6}]:8080\n"
    assert booted.shell("getent ahosts provisioner | cut -d ' ' -f 1 | sort -u") == f"{HEAD6}\n"
    assert booted.shell("getent ahosts n001.cluster.local | cut -d ' ' -f 1 | sort -u") == f"{OWN}\n"
    assert booted.shell("grep nameserver /etc/resolv.conf") == f"nameserver {HEAD6}\n"


def test_the_agent_reports_over_ipv6_and_fetches_runtime_overlays(booted: Booted) -> None:
    assert "reported state=running" in booted.shell("/usr/libexec/provisioner/agent --report")
    reports = [event for event in booted.site.events("n001") if event.name == "system.report"]
    assert {event.address for event in reports} == {OWN}
