from __future__ import annotations

import pytest

from provisioner.dhcp.client import Program, client_of
from provisioner.dhcp.codec import decode
from provisioner.dhcp.message import Kind, Message, Op
from provisioner.model.boot import Firmware as Kindred
from tests.support.packets import IPXE_BIOS, IPXE_UEFI, MAC, NETWORKD, OVMF_HTTP, OVMF_PXE, UUID, Firmware


def asking(**options: bytes) -> Message:
    return Message(Op.REQUEST, 1, bytes(6), options={int(code[1:]): value for code, value in options.items()})


@pytest.mark.parametrize(
    ("sent", "program", "firmware"),
    [
        (IPXE_BIOS, Program.IPXE, Kindred.BIOS),
        (IPXE_UEFI, Program.IPXE, Kindred.EFI_X64),
        (OVMF_PXE, Program.PXE, Kindred.EFI_X64),
        (OVMF_HTTP, Program.HTTP, Kindred.EFI_X64_HTTP),
        (NETWORKD, Program.SYSTEM, Kindred.UNKNOWN),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_real_clients_are_recognised(sent: Firmware, program: Program, firmware: Kindred) -> None:
    client = client_of(decode(sent.datagram(Kind.DISCOVER)))

    assert (client.program, client.machine.firmware) == (program, firmware)
    assert client.machine.mac == MAC
    assert client.machine.runs_ipxe is (program is Program.IPXE)


def test_the_uuid_is_read_as_smbios_writes_it() -> None:
    assert client_of(decode(IPXE_BIOS.datagram(1))).machine.uuid == UUID


@pytest.mark.parametrize("value", [b"", b"\0" * 16, b"\x01" + bytes(16), bytes(18)])
def test_an_odd_uuid_option_is_tolerated(value: bytes) -> None:
    assert client_of(asking(o97=value)).machine.uuid is None


@pytest.mark.parametrize("value", [b"iPXE", b"\x04iPXE", b"\x03foo\x04iPXE"])
def test_ipxe_is_recognised_by_its_user_class_bare_or_as_rfc_3004_has_it(value: bytes) -> None:
    assert client_of(asking(o60=b"PXEClient", o77=value)).program is Program.IPXE


@pytest.mark.parametrize("value", [b"", b"\xff", b"\0\0\0", b"iPXE2"])
def test_other_user_classes_are_not_ipxe(value: bytes) -> None:
    assert client_of(asking(o60=b"PXEClient", o77=value)).program is Program.PXE


def test_option_175_alone_is_ipxe() -> None:
    assert client_of(asking(o60=b"PXEClient", o175=b"")).program is Program.IPXE


@pytest.mark.parametrize(
    ("value", "firmware"),
    [
        (b"\0\x09", Kindred.EFI_X64),
        (b"\0\x06\0\x07", Kindred.EFI_X64),
        (b"\0\x0b", Kindred.EFI_ARM64),
        (b"\x12\x34", Kindred.UNKNOWN),
        (b"\0", Kindred.UNKNOWN),
        (b"", Kindred.UNKNOWN),
    ],
)
def test_the_first_known_architecture_counts(value: bytes, firmware: Kindred) -> None:
    assert client_of(asking(o60=b"PXEClient", o93=value)).machine.firmware is firmware
