"""Firmware that starts only what is signed: Debian's own chain boots, and what nobody signed is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.events.history import History
from provisioner.lab.machine import MachineFirmware
from provisioner.model.boot import BootRecord
from provisioner.operations.secureboot import OVMF_FILE, folder_of
from tests.support.realsite import BOOT_SECONDS, RealSite, wait_until
from tests.support.unpacked import program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

_CHAIN = {
    "shimx64.efi": "usr/lib/shim/shimx64.efi.signed",
    "grubx64.efi": "usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",
}


@dataclass(frozen=True)
class Booted:
    site: RealSite
    record: BootRecord
    refusal: str


@pytest.fixture(scope="module")
def site(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """A site that has Debian's shim and GRUB; n001 boots by them, all others by iPXE."""
    made = RealSite.make(tmp_path_factory.mktemp("site"), images)
    folder = made.paths.state / "loaders"
    folder.mkdir()
    for name, path in _CHAIN.items():
        shutil.copy(program(path), folder / name)
    made.prov("node", "set", "n001", "--yes", "boot.loader=shim")
    with made as running:
        yield running


@pytest.fixture(scope="module")
def booted(site: RealSite) -> Booted:
    """n001 and n002 have Secure Boot and Microsoft's keys; n002 gets an iPXE that nobody signed."""
    site.boot(1, firmware=MachineFirmware.SECURE)
    unsigned = site.boot(2, firmware=MachineFirmware.SECURE)
    refusal = unsigned.wait_for(r"failed to load \S+ [^\r\n]*: Access Denied", BOOT_SECONDS)[0]
    unsigned.power_off()
    return Booted(site, site.wait_for_boot("n001"), refusal)


def test_a_signed_chain_boots_to_ready(booted: Booted) -> None:
    assert (booted.record.state, booted.record.reason) == ("ready", "")


def test_the_kernel_knows_that_secure_boot_is_on_and_is_locked_down(booted: Booted) -> None:
    assert "Secure boot enabled" in booted.site.shell(1, "dmesg | grep secureboot:")
    assert booted.site.shell(1, "cat /sys/kernel/security/lockdown") == "none [integrity] confidentiality\n"


def test_the_boot_is_told_from_the_first_packet_on_and_kernel_and_stage_1_came_by_tftp(booted: Booted) -> None:
    names = booted.site.event_names("n001")

    assert names[: names.index("ready") + 1] == [
        *("dhcp.discover", "dhcp.offer", "dhcp.request", "dhcp.ack"),
        *("loader.sent", "loader.sent", "loader.sent"),
        *("script.boot", "kernel.sent", "stage1.sent"),
        *("stage1.started", "sheet.sent", "root.sent", "image.verified"),
        *("overlay.sent", "overlay.applied", "handover.done"),
        *("system.report", "ready"),
    ]
    told = {event.name: event for event in History(booted.site.paths.events).timeline(booted.record.id)}
    assert all(told[name].message.endswith("of debian-12@1 by TFTP") for name in ("kernel.sent", "stage1.sent"))
    assert (told["stage1.sent"].bytes or 0) > 1_000_000


def test_the_tokens_of_the_script_are_dead_by_tftp_too_and_their_use_is_an_alarm(booted: Booted) -> None:
    line = booted.site.shell(1, "cat /proc/cmdline").split()
    path = next(word.removeprefix("BOOT_IMAGE=") for word in line if word.startswith("BOOT_IMAGE="))
    # Status 69 of curl: the server refused it (RFC 1350, error 2).
    asked = f"curl -s -m 10 -o /dev/null tftp://10.77.0.1{path}; echo $?"

    assert booted.site.shell(1, asked) == "69\n"
    assert booted.site.lab.run(["sh", "-c", asked]) == "69\n"

    def recorded() -> bool:
        events = History(booted.site.paths.events).recent(limit=50)
        return any(event.name == "access.denied" and "TFTP kernel" in event.message for event in events)

    assert wait_until(recorded, "the alarm", 10)


def test_the_script_of_a_node_is_for_its_own_address_alone(booted: Booted) -> None:
    fetch = "curl -s -m 20 tftp://10.77.0.1/grub/52:54:00:77:00:01.cfg"

    assert "linux /t/" not in booted.site.lab.run(["sh", "-c", fetch])
    assert "asks for the script of n001" in booted.site.lab.run(["sh", "-c", fetch])


def test_firmware_refuses_a_loader_that_nobody_signed_and_the_head_sees_a_loader_without_a_script(
    booted: Booted,
) -> None:
    assert "UEFI PXEv4" in booted.refusal
    events = [each for each in History(booted.site.paths.events).recent(limit=300) if each.node == "n002"]
    assert "snponly.efi sent" in [each.message for each in events]
    assert not any(each.name.startswith("script.") for each in events)


def test_firmware_without_pxe_boots_by_http_and_nothing_comes_by_tftp(site: RealSite) -> None:
    machine = site.boot(3, firmware=MachineFirmware.UEFI_HTTP)
    site.wait_for_event("n003", "stage1.started")
    machine.power_off()

    loaded = [event for event in site.events("n003") if event.name == "loader.sent"]
    assert [event.message for event in loaded] == ["snponly.efi by HTTP"]


@pytest.fixture(scope="module")
def own(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """A site with a key of its own, which signed loaders and the newest generation; n002 boots the one before."""
    made = RealSite.make(tmp_path_factory.mktemp("own"), images)
    made.prov("secureboot", "init")
    made.prov("secureboot", "sign")
    made.prov("secureboot", "enroll")
    made.prov("node", "set", "n002", "--yes", "image=debian-12@1")
    with made as running:
        yield running


def test_firmware_with_the_sites_key_alone_starts_what_the_site_signed_and_ipxe_refuses_all_else(
    own: RealSite,
) -> None:
    variables = folder_of(own.paths) / OVMF_FILE
    signed = own.boot(1, firmware=MachineFirmware.SITE_KEY, variables=variables)
    other = own.boot(2, firmware=MachineFirmware.SITE_KEY, variables=variables)

    own.wait_for_event("n001", "stage1.started")
    signed.wait_for("secureboot: Secure boot enabled", 10)
    other.wait_for("Could not select: Exec format error", BOOT_SECONDS)
    assert "stage1.sent" not in [event.name for event in own.events("n002")]
