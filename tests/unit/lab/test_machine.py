from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.lab import tpm
from provisioner.lab.machine import Accelerator, Cable, DirectBoot, MachineFirmware, VirtualMachine
from provisioner.model.address import MacAddress
from tests.support.golden import Golden

MAC = MacAddress("52:54:00:00:00:01")
CABLES = (
    Cable(MacAddress("52:54:00:00:00:02"), 20001, 20101),
    Cable(MacAddress("52:54:00:00:00:03"), 20002, 20102),
)
DIRECT = DirectBoot(Path("/boot/vmlinuz"), Path("/tmp/initrd"), "console=ttyS0 quiet")


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("bios", VirtualMachine("n001", MAC)),
        ("uefi", VirtualMachine("n001", MAC, "tap1", firmware=MachineFirmware.UEFI)),
        ("uefi-http", VirtualMachine("n001", MAC, "tap1", firmware=MachineFirmware.UEFI_HTTP)),
        ("uefi-v6", VirtualMachine("n001", MAC, firmware=MachineFirmware.UEFI_V6)),
        ("secure", VirtualMachine("n001", MAC, "tap1", firmware=MachineFirmware.SECURE)),
        ("site-key-http", VirtualMachine("n001", MAC, "tap1", firmware=MachineFirmware.SITE_KEY_HTTP)),
        ("arm64", VirtualMachine("n001", MAC, "tap1", firmware=MachineFirmware.ARM64)),
        ("direct", VirtualMachine("n001", MAC, memory=512, direct=DIRECT)),
        ("cabled", VirtualMachine("n001", MAC, cables=CABLES)),
    ],
    ids=["bios", "uefi", "uefi-http", "uefi-v6", "secure", "site-key-http", "arm64", "direct", "cabled"],
)
def test_the_command_of_a_machine(name: str, machine: VirtualMachine, golden: Golden) -> None:
    golden(f"lab/{name}.txt", "\n".join(machine.command()) + "\n")


def test_a_uefi_machine_has_no_rom_so_that_its_own_firmware_boots() -> None:
    words = VirtualMachine("n001", MAC, firmware=MachineFirmware.UEFI).command()

    assert f"virtio-net-pci,netdev=net0,mac={MAC},bootindex=1,romfile=" in words


def test_a_machine_has_a_tpm_only_where_it_shall() -> None:
    words = VirtualMachine("n001", MAC, firmware=MachineFirmware.UEFI, tpm=True).command()

    assert words[words.index("-tpmdev") + 1] == "emulator,id=tpm0,chardev=tpm0"
    assert f"socket,id=tpm0,path={tpm.SOCKET}" in words
    assert "-tpmdev" not in VirtualMachine("n001", MAC).command()


def test_an_accelerated_machine_gets_the_processor_of_the_host() -> None:
    words = VirtualMachine("n001", MAC).command(Accelerator.KVM)

    assert words[words.index("-accel") + 1 :][:3] == ["kvm", "-cpu", "host"]


def test_a_machine_of_another_processor_is_emulated_whatever_the_host_has() -> None:
    words = VirtualMachine("n001", MAC, firmware=MachineFirmware.ARM64, tpm=True).command(Accelerator.KVM)

    assert words[0] == "qemu-system-aarch64"
    assert "kvm" not in words
    assert "tpm-tis-device,tpmdev=tpm0" in words


def test_no_two_machines_share_a_uuid() -> None:
    other = MacAddress("52:54:00:00:00:02")

    assert VirtualMachine("a", MAC).uuid != VirtualMachine("a", other).uuid


@pytest.mark.parametrize("name", ["", "n001,debug-threads=on", "a=b", "../n001", "-n"])
def test_a_name_that_qemu_could_read_as_an_option_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a machine"):
        VirtualMachine(name, MAC)
