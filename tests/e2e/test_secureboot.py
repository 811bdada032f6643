"""Firmware that starts only what is signed: Debian's own chain boots, and what nobody signed is refused."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.events.history import History
from provisioner.host.run import run
from provisioner.image import store
from provisioner.lab.machine import MachineFirmware
from provisioner.model.boot import BootRecord
from provisioner.operations.secureboot import OVMF_FILE, folder_of
from tests.support.realsite import BOOT_SECONDS, RealSite, asked_once, wait_until
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
    names = asked_once(booted.site.event_names("n001"))

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


REFUSED = "the firmware does not start kernel and stage 1 of altered@1"


@dataclass(frozen=True)
class Own:
    """A site with a key of its own, whose machines boot by HTTP alone: n001 came up, two others were refused."""

    site: RealSite
    record: BootRecord


@pytest.fixture(scope="module")
def own(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    """n001 boots what the site signed, n002 a kernel by itself; in n003's program somebody altered stage 1."""
    made = RealSite.make(tmp_path_factory.mktemp("own"), images)
    made.prov("secureboot", "init", "--unified-only")
    # The store was made for another site, whose key says nothing here.
    made.prov("image", "sign")
    made.prov("image", "copy", "debian-12", "altered")
    made.prov("secureboot", "sign")
    made.prov("secureboot", "enroll")
    made.prov("node", "set", "n002", "--yes", "boot.unified=never")
    made.prov("node", "set", "n003", "--yes", "image=altered", "boot.unified=always")
    alter_stage_1(made, "altered")
    with (made.root / "provisioner.yaml").open("a") as file:
        file.write("ports: {tftp: 0}\n")
    variables = folder_of(made.paths) / OVMF_FILE
    with made as running:
        first, unsigned, altered = (
            running.boot(number, firmware=MachineFirmware.SITE_KEY_HTTP, variables=variables)
            for number in (1, 2, 3)
        )
        unsigned.wait_for("Could not select: Exec format error", BOOT_SECONDS)
        altered.wait_for(f"Provisioner: REFUSED: {REFUSED}", BOOT_SECONDS)
        running.wait_for_event("n003", "uki.refused")
        for machine in (unsigned, altered):
            machine.power_off()
        first.wait_for("secureboot: Secure boot enabled", BOOT_SECONDS)
        yield Own(running, running.wait_for_boot("n001"))


def alter_stage_1(site: RealSite, image: str) -> None:
    """Change one byte in the middle of the stage 1 that is in the signed program of an image."""
    generation = store.find(site.paths, image)
    assert generation.uki is not None
    stage1 = store.artifact_path(site.paths, generation.boot_set.stage1.digest).read_bytes()
    file = store.artifact_path(site.paths, generation.uki.digest)
    content = bytearray(file.read_bytes())
    content[content.index(stage1) + len(stage1) // 2] ^= 1
    file.write_bytes(content)


def test_firmware_with_the_sites_key_alone_boots_kernel_and_stage_1_as_one_program_to_ready(own: Own) -> None:
    names = own.site.event_names("n001")

    assert (own.record.state, own.record.reason) == ("ready", "")
    assert names[names.index("script.boot") : names.index("ready") + 1] == [
        *("script.boot", "uki.sent", "stage1.started", "sheet.sent", "root.sent", "image.verified"),
        *("overlay.sent", "overlay.applied", "handover.done", "system.report", "ready"),
    ]
    assert own.site.shell(1, "cat /sys/kernel/security/lockdown") == "none [integrity] confidentiality\n"


def test_its_stage_1_checked_the_sheet_with_the_keys_inside_and_the_kernel_line_came_from_ipxe(own: Own) -> None:
    assert "sheet: signed by this site for this boot" in own.site.shell(1, "dmesg")
    line = own.site.shell(1, "cat /proc/cmdline").split()
    assert "prov.mac=52:54:00:77:00:01" in line
    assert not [word for word in line if word.startswith("initrd=")]


def test_nothing_came_by_tftp_and_nobody_listens_there(own: Own) -> None:
    loaded = [event for event in own.site.events("n001") if event.name == "loader.sent"]

    assert [event.message for event in loaded] == ["snponly.efi by HTTP"]
    assert ":69 " not in own.site.lab.run(["ss", "--udp", "--listening", "--numeric"])


def test_a_kernel_by_itself_that_the_site_did_not_sign_is_refused(own: Own) -> None:
    assert "kernel.sent" in [event.name for event in own.site.events("n002")]
    assert "stage1.sent" not in [event.name for event in own.site.events("n002")]


def test_a_stage_1_with_one_altered_byte_is_refused_and_said_on_the_console_and_on_the_head_node(own: Own) -> None:
    told = own.site.status("n003")

    assert (told["state"], REFUSED in told["reason"]) == ("failed", True)
    # Its exit status tells of a fault.
    with pytest.raises(CommandError, match="uki-refused"):
        run([sys.executable, "-m", "provisioner", "--root", own.site.root, "doctor", "n003"])
    assert "stage1.started" not in [event.name for event in own.site.events("n003")]
