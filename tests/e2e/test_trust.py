"""A machine whose kernel line was altered on the way: it stops, says why, and tells what its TPM measured."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provisioner.config.paths import shipped_data
from provisioner.lab.machine import MachineFirmware
from tests.support.realsite import BOOT_SECONDS, RealSite, mac

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.needs("swtpm")]


@dataclass(frozen=True)
class Tampered:
    """A boot whose script is not what the head node meant to write, after it has failed."""

    site: RealSite
    console: str
    boot: dict[str, Any]


@pytest.fixture(scope="module")
def tampered(cluster: RealSite) -> Tampered:
    """n006, UEFI with a TPM, in whose script somebody put another init."""
    script = (shipped_data() / "templates/boot.ipxe.j2").read_text()
    altered = cluster.root / "templates/altered.ipxe.j2"
    altered.parent.mkdir(exist_ok=True)
    altered.write_text(script.replace("{{ kernel_line | ipxe }}", "{{ kernel_line | ipxe }} init=/bin/sh"))
    cluster.prov("node", "set", "n006", "--yes", "--script", "altered")
    with cluster.lab.boot("n006", mac(6), firmware=MachineFirmware.UEFI, tpm=True) as machine:
        machine.wait_for("provisioner: FAILED: ", BOOT_SECONDS)
        cluster.wait_for_boot("n006")
    shown = json.loads(cluster.prov("boot", "show", "n006", "--format", "json"))
    return Tampered(cluster, Path(machine.serial.path).read_text(errors="replace"), shown)


REASON = "the kernel line is not the one that the head node wrote"


def test_the_console_says_what_is_wrong_and_nothing_was_started(tampered: Tampered) -> None:
    assert f"provisioner: FAILED: {REASON}" in tampered.console
    assert "provisioner: image: " not in tampered.console
    assert "handing over" not in tampered.console


def test_the_status_and_the_doctor_say_it_too(tampered: Tampered) -> None:
    status = tampered.site.status("n006")

    assert (status["state"], status["reason"]) == ("failed", REASON)
    assert [step["name"] for step in tampered.boot["steps"]][-1] == "failed"
    assert "root.sent" not in [step["name"] for step in tampered.boot["steps"]]


def test_what_the_firmware_measured_is_shown(tampered: Tampered) -> None:
    registers = tampered.boot["measured"]["registers"]

    assert list(registers) == [str(number) for number in range(10)]
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in registers.values())
    # The firmware itself, its settings, and the loader that it started.
    assert all(set(registers[number]) != {"0"} for number in ("0", "1", "4", "7"))
    # Kernel and initramfs of the EFI stub.
    assert set(registers["9"]) != {"0"}
    assert tampered.boot["measured"]["before"] is None
    assert f"measured: PCR 0 {registers['0'][:8]}, 1 " in tampered.site.prov("boot", "show", "n006")
