from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from scapy.layers.dhcp import BOOTP, DHCP

from provisioner.dhcp.answer import Answer
from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import decode, encode
from provisioner.dhcp.desk import Desk
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.message import NO_ADDRESS, Kind, Message, Option
from provisioner.dhcp.policy import answer
from tests.support.packets import (
    IPXE_BIOS,
    IPXE_UEFI,
    NETWORKD,
    OVMF_HTTP,
    OVMF_PXE,
    Firmware,
    demo,
    requests,
    scapy_view,
)
from tests.support.resolved import catalogue

SERVER = IPv4Address("10.77.0.1")
PARTNER = IPv4Address("10.77.0.5")
MINE = IPv4Address("10.77.0.11")
SCRIPT = "http://10.77.0.1:8080/boot/52-54-00-77-00-10"
SITE = demo(dhcp="proxy", pool="10.77.0.200-10.77.0.203"), catalogue()


def answered(data: bytes, *, boot_service: bool = False) -> Answer:
    return answer(decode(data), Context(*SITE, SERVER, 8080, Leases(), 1000.0, boot_service))


def reply_of(data: bytes, *, boot_service: bool = False) -> Message:
    decided = answered(data, boot_service=boot_service)
    assert decided.reply is not None, decided.reason
    return decided.reply


def from_port_4011(client: Firmware, kind: Kind) -> bytes:
    return client.datagram(kind, ciaddr=MINE.packed)


@pytest.mark.parametrize(
    ("client", "file", "vendor"),
    [
        (IPXE_BIOS, SCRIPT, b"PXEClient"),
        (IPXE_UEFI, SCRIPT, b"PXEClient"),
        (OVMF_PXE, "snponly.efi", b"PXEClient"),
        (OVMF_HTTP, "http://10.77.0.1:8080/loader/snponly.efi", b"HTTPClient"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_firmware_is_told_what_to_load_and_given_no_address(client: Firmware, file: str, vendor: bytes) -> None:
    reply = reply_of(client.datagram(Kind.DISCOVER))

    assert (reply.kind, reply.yiaddr, reply.siaddr) == (Kind.OFFER, NO_ADDRESS, SERVER)
    assert (reply.file.decode(), reply.options[Option.VENDOR_CLASS]) == (file, vendor)
    assert reply.options[Option.MACHINE] == client.options[97]
    assert {Option.LEASE_TIME, Option.SUBNET_MASK, Option.ROUTER, Option.IPXE}.isdisjoint(reply.options)


def test_an_independent_reader_finds_the_discovery_control_and_the_boot_file() -> None:
    seen = scapy_view(encode(reply_of(OVMF_PXE.datagram(Kind.DISCOVER))))

    assert seen["options"]["vendor_specific"] == (bytes.fromhex("060108ff"),)
    assert seen["options"]["boot-file-name"] == (b"snponly.efi",)
    assert seen["options"]["tftp_server_name"] == (b"10.77.0.1",)


def test_a_system_and_a_machine_that_is_no_node_are_left_to_the_other_server() -> None:
    system = answered(NETWORKD.datagram(Kind.DISCOVER))
    stranger = answered(IPXE_BIOS.datagram(Kind.DISCOVER, mac="52:54:00:99:99:99"))

    assert (system.reply, stranger.reply) == (None, None)
    assert "not a network boot" in system.reason
    assert "dhcp: proxy answers nodes alone" in stranger.reason


@pytest.mark.parametrize("kind", [Kind.REQUEST, Kind.INFORM, Kind.DECLINE, Kind.RELEASE])
def test_what_is_said_to_the_server_that_gives_addresses_is_not_answered(kind: Kind) -> None:
    extra = {50: MINE.packed, 54: PARTNER.packed}

    assert answered(IPXE_BIOS.datagram(kind, extra=extra)).reply is None


@pytest.mark.parametrize("kind", [Kind.REQUEST, Kind.INFORM])
def test_the_boot_service_sends_the_file_to_the_port_that_asked(kind: Kind) -> None:
    desk = Desk(SERVER, 8080, boot_service=True)
    first, again = (
        desk.handle(from_port_4011(OVMF_PXE, kind), (str(MINE), port), SITE, now=1000.0) for port in (68, 4011)
    )

    assert first.reply is not None
    reply = decode(first.reply)
    assert (reply.kind, reply.file, reply.ciaddr) == (Kind.ACK, b"snponly.efi", MINE)
    assert (first.target, again.target) == ((str(MINE), 68, b""), (str(MINE), 4011, b""))


def test_the_boot_service_answers_no_foreign_address_and_no_other_message() -> None:
    foreign = OVMF_PXE.datagram(Kind.REQUEST, ciaddr=IPv4Address("203.0.113.9").packed)
    named = OVMF_PXE.datagram(Kind.REQUEST, ciaddr=MINE.packed, extra={54: PARTNER.packed})

    assert answered(foreign, boot_service=True).reply is None
    assert answered(named, boot_service=True).reply is None
    assert answered(OVMF_PXE.datagram(Kind.DISCOVER), boot_service=True).reply is None


def test_the_boot_service_of_an_authoritative_network_is_silent() -> None:
    context = Context(demo(), catalogue(), SERVER, 8080, Leases(), 1000.0, boot_service=True)

    assert answer(decode(from_port_4011(OVMF_PXE, Kind.REQUEST)), context).reply is None


@given(requests())
def test_a_proxy_never_gives_an_address_refuses_one_or_keeps_a_lease(message: Message) -> None:
    for boot_service in (False, True):
        decided = answer(message, Context(*SITE, SERVER, 8080, Leases(), 1000.0, boot_service))
        assert decided.keep is None
        if decided.reply is not None:
            assert decided.reply.kind in (Kind.OFFER, Kind.ACK)
            assert decided.reply.yiaddr == NO_ADDRESS
            parsed = BOOTP(encode(replace(decided.reply, xid=7)))
            assert parsed[DHCP] is not None
            assert parsed.yiaddr == "0.0.0.0"
