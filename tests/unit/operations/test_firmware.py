"""The messages of firmware, as the DHCP policy takes them."""

from __future__ import annotations

import pytest

from provisioner.dhcp.client import Program, client_of
from provisioner.model.boot import Firmware
from provisioner.operations.firmware import Asker, askers_for
from tests.support.resolved import MAC1


@pytest.mark.parametrize(
    ("asker", "program", "firmware"),
    [
        (Asker.BIOS, Program.PXE, Firmware.BIOS),
        (Asker.UEFI, Program.PXE, Firmware.EFI_X64),
        (Asker.UEFI_HTTP, Program.HTTP, Firmware.EFI_X64_HTTP),
        (Asker.ARM64, Program.PXE, Firmware.EFI_ARM64),
        (Asker.ARM64_HTTP, Program.HTTP, Firmware.EFI_ARM64_HTTP),
        (Asker.IPXE, Program.IPXE, Firmware.BIOS),
    ],
)
def test_a_message_is_taken_for_what_sends_it(asker: Asker, program: Program, firmware: Firmware) -> None:
    client = client_of(asker.discover(MAC1))

    assert (client.machine.mac, client.program, client.machine.firmware) == (MAC1, program, firmware)


def test_machines_have_the_firmware_of_their_architecture() -> None:
    assert askers_for("x86_64") == (Asker.BIOS, Asker.UEFI, Asker.UEFI_HTTP, Asker.IPXE)
    assert askers_for("aarch64") == (Asker.ARM64, Asker.ARM64_HTTP, Asker.IPXE)
    assert askers_for("") == tuple(Asker)
