"""A machine of another processor: its firmware, signed loaders, its kernel, a stage 1 of the image's programs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.lab.machine import MachineFirmware
from provisioner.model.boot import BootRecord
from tests.support.builtonce import built_once
from tests.support.emulated import run_emulated
from tests.support.realsite import CHECKOUT, RealSite, ingredients, prov
from tests.support.unpacked import program

pytestmark = [
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.needs("qemu-system-aarch64", "mmdebstrap", "arch-test", "ip"),
    pytest.mark.timeout(5400),
]

IMAGE = "debian-12-arm64"
_CHAIN = {
    "shimaa64.efi": "usr/lib/shim/shimaa64.efi.signed",
    "grubaa64.efi": "usr/lib/grub/arm64-efi-signed/grubnetaa64.efi.signed",
}


class ArmSite(RealSite):
    """A site whose nodes boot the image for ARM64."""

    image = IMAGE


@dataclass(frozen=True)
class Booted:
    site: RealSite
    record: BootRecord


def build(store: Path) -> None:
    prov(store / "site", "init", "--cluster", "images", "--network", "10.77.0.0/16")
    command = [sys.executable, "-m", "provisioner", "--root", str(store / "site"), "image", "build", IMAGE]
    run_emulated(program("usr/bin/qemu-aarch64-static"), command, timeout=3600)


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """n001 boots with Secure Boot and Microsoft's keys; nobody said by which loader."""
    store = built_once(CHECKOUT / ".cache" / "arm64" / ingredients(), build)
    made = ArmSite.make(tmp_path_factory.mktemp("site"), store / "site" / "var" / "images")
    made.prov("group", "set", "compute", "--yes", "--kernel-arg", "console=ttyAMA0")
    folder = made.paths.state / "loaders"
    folder.mkdir()
    for name, path in _CHAIN.items():
        shutil.copy(program(path), folder / name)
    with made as site:
        site.boot(1, firmware=MachineFirmware.ARM64)
        yield Booted(site, site.wait_for_boot("n001", seconds=1800))


def test_it_boots_to_ready(booted: Booted) -> None:
    assert (booted.record.state, booted.record.reason) == ("ready", "")
    assert booted.site.status("n001")["state"] == "ready"


def test_its_firmware_is_known_and_gets_the_signed_loaders_for_it(booted: Booted) -> None:
    events = booted.site.events("n001")

    loaders = [event.message for event in events if event.name == "loader.sent"]
    assert [each.split()[0] for each in loaders if "grub" in each or "shim" in each][:2] == [*_CHAIN]
    assert "efi-arm64" in {event.data.get("firmware") for event in events if event.name == "dhcp.ack"}


def test_every_step_is_reported_as_by_any_other_machine(booted: Booted) -> None:
    names = booted.site.event_names("n001")

    assert names[names.index("script.boot") : names.index("ready") + 1] == [
        *("script.boot", "kernel.sent", "stage1.sent"),
        *("stage1.started", "sheet.sent", "root.sent", "image.verified"),
        *("overlay.sent", "overlay.applied", "handover.done"),
        *("system.report", "ready"),
    ]


def test_it_is_another_processor_and_its_firmware_started_only_what_is_signed(booted: Booted) -> None:
    assert booted.site.shell(1, "uname -m") == "aarch64\n"
    assert "Secure boot enabled" in booted.site.shell(1, "dmesg | grep secureboot:")


def test_the_image_says_what_it_is_for_and_a_rehearsal_asks_as_such_a_machine(booted: Booted) -> None:
    shown = json.loads(booted.site.prov("image", "show", IMAGE, "--format", "json"))
    rehearsed = booted.site.prov("simulate", "n001", "--firmware", "arm64")

    assert shown["architecture"] == "aarch64"
    assert "shimaa64.efi" in rehearsed
