"""Two machines boot, one from BIOS and one from UEFI, and everything about them is right."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from provisioner.events.history import History
from provisioner.lab.machine import MachineFirmware
from provisioner.model.boot import BootRecord
from provisioner.operations import live
from provisioner.operations.boots import timeline
from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import SiteKey
from tests.support.realsite import RealSite, asked_once, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# A node that got an answer without news may pause for a minute before it asks again.
_NEWS = 150.0


@dataclass(frozen=True)
class Booted:
    site: RealSite
    bios: BootRecord
    uefi: BootRecord


@pytest.fixture(scope="module")
def booted(cluster: RealSite) -> Booted:
    """n001 from BIOS and n002 from UEFI, switched on together; n002 has runtime overlays."""
    write_live(cluster, "first")
    cluster.prov("node", "set", "n002", "--yes", "--runtime-overlay", "live")
    cluster.boot(1)
    cluster.boot(2, firmware=MachineFirmware.UEFI)
    return Booted(cluster, cluster.wait_for_boot("n001"), cluster.wait_for_boot("n002"))


def write_live(site: RealSite, text: str) -> None:
    """Edit the runtime overlay by hand: two files, of which one says this, and a service that reads it."""
    overlay = site.root / "overlays" / "live"
    (overlay / "rootfs/etc/live").mkdir(parents=True, exist_ok=True)
    (overlay / "rootfs/etc/live/same").write_text("same\n")
    (overlay / "overlay.yaml").write_text("services: {dbus.service: [etc/live/text]}\n")
    edit_live(site, text)


def edit_live(site: RealSite, text: str) -> None:
    """Exchange the file in one step: the daemon looks at any moment, and half an edit would be one edit more."""
    written = site.root / "text.new"
    written.write_text(f"{text} {{{{ node.name }}}}\n")
    written.replace(site.root / "overlays/live/rootfs/etc/live/text.j2")


def test_both_report_ready(booted: Booted) -> None:
    assert [(boot.state, boot.reason) for boot in (booted.bios, booted.uefi)] == [("ready", ""), ("ready", "")]


def test_the_timeline_of_a_bios_boot_goes_from_the_first_packet_to_ready(booted: Booted) -> None:
    names = asked_once(booted.site.event_names("n001"))

    # The agent goes on reporting after that.
    assert names[: names.index("ready") + 1] == [
        *("dhcp.discover", "dhcp.offer", "dhcp.request", "dhcp.ack"),
        *("script.boot", "kernel.sent", "stage1.sent"),
        *("stage1.started", "sheet.sent", "root.sent", "image.verified"),
        *("overlay.sent", "overlay.applied", "handover.done"),
        *("system.report", "ready"),
    ]


def test_a_uefi_boot_fetches_the_loader_by_tftp_before_its_script(booted: Booted) -> None:
    names = booted.site.event_names("n002")

    assert names.index("loader.sent") < names.index("script.boot") < names.index("ready")


def test_the_timeline_tells_bytes_and_milliseconds_of_every_transfer(booted: Booted) -> None:
    found = timeline(booted.site.paths, "n001").steps
    steps = {step.name: step for step in found}

    for name in ("kernel.sent", "stage1.sent", "root.sent"):
        assert (steps[name].bytes or 0) > 1_000_000
        assert steps[name].took is not None
    assert [step.at for step in found] == sorted(step.at for step in found)


def test_status_shows_what_runs_and_that_nothing_newer_exists(booted: Booted) -> None:
    status = booted.site.status("n001")

    assert (status["state"], status["running"], status["outdated"]) == ("ready", "debian-12@1", "")
    assert status["facts"]["state"] == "running"
    assert int(status["facts"]["memory_total"]) > 1_000_000


def test_no_unit_failed(booted: Booted) -> None:
    assert booted.site.shell(1, "systemctl --failed --plain --no-legend") == ""
    assert booted.site.shell(2, "systemctl --failed --plain --no-legend") == ""


def test_nodes_of_different_groups_get_different_files_and_kernel_lines(booted: Booted) -> None:
    assert booted.site.shell(1, "cat /etc/motd") == "first plain n001\n"
    assert booted.site.shell(2, "cat /etc/motd") == "first gpu n002\n"
    assert "e2e.group=gpu" not in booted.site.shell(1, "cat /proc/cmdline")
    assert "e2e.group=gpu" in booted.site.shell(2, "cat /proc/cmdline")


def test_name_address_and_neighbours_are_right(booted: Booted) -> None:
    assert booted.site.shell(1, "hostname") == "n001\n"
    assert "inet 10.77.1.1/16" in booted.site.shell(1, "ip -4 address show dev eth0")
    assert "10.77.1.2" in booted.site.shell(1, "getent hosts n002")
    assert booted.site.shell(1, "ping -c 1 -w 60 n002 > /dev/null && echo answered") == "answered\n"


def test_names_of_nodes_resolve_on_the_head_too(booted: Booted) -> None:
    answer = booted.site.lab.run(["dig", "+short", "+time=2", "@10.77.0.1", "n002.cluster.local", "A"])

    assert answer == "10.77.1.2\n"


def test_the_root_is_a_squashfs_in_memory_under_an_overlay(booted: Booted) -> None:
    assert booted.site.shell(1, "findmnt -n -o FSTYPE /") == "overlay\n"
    assert "squashfs" in booted.site.shell(1, "cat /proc/mounts; cat /proc/filesystems")


def test_the_host_key_is_the_derived_one(booted: Booted) -> None:
    expected = host_key(SiteKey.load_or_create(booted.site.paths.keys), "n001").public

    assert booted.site.shell(1, "cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub").strip() == expected


def test_the_token_of_the_running_system_is_readable_by_root_only(booted: Booted) -> None:
    assert booted.site.shell(1, "stat -c '%a %U' /run/provisioner/token") == "600 root\n"
    token = booted.site.shell(1, "cat /run/provisioner/token").strip()
    assert token not in booted.site.shell(1, "cat /proc/cmdline")


def test_the_token_on_the_kernel_line_is_dead_and_its_use_is_an_alarm(booted: Booted) -> None:
    line = booted.site.shell(1, "cat /proc/cmdline").split()
    token = next(word.removeprefix("prov.token=") for word in line if word.startswith("prov.token="))

    asked = f"curl -s -w '%{{http_code}}' http://10.77.0.1:8080/t/{token}/root"
    from_the_node = booted.site.shell(1, asked)
    from_elsewhere = booted.site.lab.run(["sh", "-c", asked])

    assert from_the_node.endswith("403")
    assert "stage stage1" in from_the_node
    assert from_elsewhere.endswith("403")
    assert "comes from an address that no node has" in from_elsewhere

    def recorded() -> bool:
        events = History(booted.site.paths.events).recent(limit=50)
        return any(event.name == "access.denied" and event.node == "n001" for event in events)

    assert wait_until(recorded, "the alarm", 10)


def test_an_agent_that_reports_again_gets_a_fresh_token(booted: Booted) -> None:
    before = booted.site.shell(1, "cat /run/provisioner/token")
    # Tokens of the same second are equal.
    booted.site.shell(1, "sleep 1; systemctl start provisioner-agent")
    booted.site.shell(1, "while systemctl is-active -q provisioner-agent; do sleep 0.2; done")

    assert booted.site.shell(1, "cat /run/provisioner/token") != before


def test_an_edit_of_a_runtime_overlay_reaches_the_running_node_and_touches_nothing_else(booted: Booted) -> None:
    site = booted.site
    same = "stat -c '%i %Y' /etc/live/same"
    before = site.shell(2, same)
    reloads = "journalctl -u dbus --no-pager | grep -c Reloaded || true"
    reloaded = int(site.shell(2, reloads))
    assert site.shell(2, "cat /etc/live/text") == "first n002\n"
    first = site.status("n002")["facts"]["runtime_sha256"]
    applied = site.event_names("n002").count("runtime.applied")

    edit_live(site, "second")
    wait_until(lambda: site.shell(2, "cat /etc/live/text") == "second n002\n", "the edit on n002", _NEWS)
    wait_until(lambda: int(site.shell(2, reloads)) > reloaded, "the reload of dbus", _NEWS)
    wait_until(lambda: site.status("n002")["facts"]["runtime_sha256"] != first, "the report of n002", _NEWS)

    assert site.shell(2, same) == before
    assert site.status("n002")["state"] == "ready"
    assert site.event_names("n002").count("runtime.applied") == applied + 1
    # What is written now is what both booted, again: other tests look at that.
    edit_live(site, "first")
    wait_until(lambda: site.shell(2, "cat /etc/live/text") == "first n002\n", "the edit taken back", _NEWS)


def test_a_push_puts_right_what_was_edited_on_the_node(booted: Booted) -> None:
    booted.site.shell(2, "echo by hand > /etc/live/same")
    told = live.push(booted.site.paths, ["n002"])

    assert told is not None
    assert told["limited"] == []
    wait_until(lambda: booted.site.shell(2, "cat /etc/live/same") == "same\n", "the push to reach n002", _NEWS)
