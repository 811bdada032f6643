"""Machines that boot, from the firmware to a script of ours, against an independent DHCP and TFTP server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.errors import ConflictError, UnavailableError
from provisioner.lab.accelerator import starts_a_guest
from provisioner.lab.cluster import Lab
from provisioner.lab.machine import Accelerator, MachineFirmware
from provisioner.model.address import MacAddress
from tests.support.cluster import NETWORK, busybox_boot, dnsmasq

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("qemu-system-x86_64", "dnsmasq", "tcpdump", "busybox"),
    pytest.mark.timeout(600),
]

MAC = MacAddress("52:54:00:00:00:01")
# Ten times what firmware takes on a quiet core.
BOOT_SECONDS = 250.0
SCRIPT = "#!ipxe\necho SCRIPT-RAN ${net0/mac} ${uuid} ${serial}\nshell\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with Lab(NETWORK, folder / "logs", daemon=dnsmasq(folder, {"boot.ipxe": SCRIPT}), capture=True) as lab:
        yield lab


# The others start nothing that is not signed or comes by TFTP: tests/e2e/test_secureboot.py boots them.
@pytest.mark.parametrize("firmware", [MachineFirmware.BIOS, MachineFirmware.UEFI])
def test_firmware_boots_over_the_network_of_the_lab(lab: Lab, firmware: MachineFirmware) -> None:
    with lab.boot(f"net-{firmware}", MAC, firmware=firmware) as machine:
        found = machine.wait_for(r"SCRIPT-RAN (\S+) (\S+) (\S+)", BOOT_SECONDS)

        assert found.groups() == (MAC, machine.machine.uuid, f"LAB-net-{firmware}")
        assert lab.bytes_sent_to(f"net-{firmware}") > 1000
        assert machine.cpu_seconds() > 0

    assert machine.exit_status == 0


def test_a_kernel_boots_without_firmware_and_switches_its_machine_off(lab: Lab, tmp_path: Path) -> None:
    direct = busybox_boot(tmp_path, "echo HELLO-$((40 + 2))")

    machine = lab.boot("direct", MAC, memory=512, direct=direct)

    machine.wait_for("HELLO-42", BOOT_SECONDS)
    assert machine.wait_until_off(BOOT_SECONDS)
    assert machine.exit_status == 0


def test_a_machine_is_reset_and_cut_from_power(lab: Lab) -> None:
    with lab.boot("reset", MAC, memory=256) as machine:
        machine.wait_for("SeaBIOS", BOOT_SECONDS)
        with machine.control() as control:
            assert control.status() == "running"
        machine.reset()
        machine.power_off()

        assert machine.exit_status == 0


def test_a_machine_boots_only_once_at_a_time(lab: Lab) -> None:
    with lab.boot("once", MAC, memory=256), pytest.raises(ConflictError, match="once is on already"):
        lab.boot("once", MAC, memory=256)


def test_a_machine_that_qemu_refuses_says_why(lab: Lab) -> None:
    with lab.boot("huge", MAC, memory=1 << 30) as machine, pytest.raises(UnavailableError, match="QEMU said"):
        machine.wait_for("SeaBIOS", BOOT_SECONDS)


def test_a_failure_inside_the_lab_says_where_the_logs_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as failed, Lab(NETWORK, tmp_path / "logs", capture=True):
        raise RuntimeError

    (note,) = failed.value.__notes__
    assert note.startswith(f"the logs of the lab are in {tmp_path / 'logs'}: ")
    assert "tcpdump.log" in note


def test_the_probe_tells_that_emulation_always_works() -> None:
    assert starts_a_guest(Accelerator.TCG)
