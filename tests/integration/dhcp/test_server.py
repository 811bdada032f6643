from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provisioner.dhcp.server import DhcpServer
from provisioner.errors import UnavailableError
from provisioner.model.event import Event
from tests.support.netns import Namespace, namespace, veth
from tests.support.packets import (
    CLIENTS,
    IPXE_BIOS,
    MAC,
    NETWORKD,
    Firmware,
    broadcast_frame,
    demo,
    reply_in,
    scapy_view,
)
from tests.support.resolved import catalogue

pytestmark = [pytest.mark.integration, pytest.mark.needs("ip", "busybox")]

DISCOVER, REQUEST = 1, 3
STRANGER = "52:54:00:99:99:99"
_ETH_P_IP = 0x0800


@dataclass
class Bed:
    """A server in one namespace, and a cable to the namespace of its clients."""

    server: DhcpServer
    home: Namespace
    ours: str
    clients: Namespace
    theirs: str
    events: list[Event] = field(default_factory=list)

    def names(self) -> list[str]:
        return [event.name for event in self.events]


@pytest.fixture
def cable() -> Iterator[tuple[Namespace, str, Namespace, str]]:
    with namespace() as home, namespace() as clients, veth(home, clients) as (ours, theirs):
        home.address(ours, "10.77.0.1/24")
        clients.ip("link", "set", theirs, "address", MAC)
        yield home, ours, clients, theirs


@pytest.fixture
async def bed(cable: tuple[Namespace, str, Namespace, str]) -> AsyncIterator[Bed]:
    home, ours, clients, theirs = cable
    events: list[Event] = []
    site = demo(pool="10.77.0.200-10.77.0.203", gateway="10.77.0.254")
    server = DhcpServer(
        interface=ours,
        address=IPv4Address("10.77.0.1"),
        http_port=8080,
        snapshot=lambda: site,
        catalogue=catalogue,
        record=events.append,
    )
    with home.entered():
        await server.start()
    yield Bed(server, home, ours, clients, theirs, events)
    await server.close()


class Wire:
    """Frames on the clients' end of the cable."""

    def __init__(self, bed: Bed) -> None:
        with bed.clients.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
        self._socket.bind((bed.theirs, 0))
        self._socket.settimeout(3)

    async def ask(self, datagram: bytes, *, mac: str = MAC) -> dict[str, object]:
        """Broadcast a datagram and return scapy's view of the reply; TimeoutError without one."""
        self._socket.send(broadcast_frame(datagram, mac=mac))
        return scapy_view(await asyncio.to_thread(self._reply))

    def send(self, datagram: bytes) -> None:
        self._socket.send(broadcast_frame(datagram))

    def close(self) -> None:
        self._socket.close()

    def _reply(self) -> bytes:
        for _ in range(20):
            if reply := reply_in(self._socket.recv(4096)):
                return reply
        raise AssertionError("twenty frames and no reply among them")


@pytest.fixture
def wire(bed: Bed) -> Iterator[Wire]:
    opened = Wire(bed)
    yield opened
    opened.close()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
async def test_every_kind_of_client_gets_its_address_over_the_wire(bed: Bed, wire: Wire, client: Firmware) -> None:
    offer = await wire.ask(client.datagram(DISCOVER))
    chosen = {50: IPv4Address("10.77.0.11").packed, 54: IPv4Address("10.77.0.1").packed}
    ack = await wire.ask(client.datagram(REQUEST, extra=chosen))

    assert (offer["yiaddr"], ack["yiaddr"]) == ("10.77.0.11", "10.77.0.11")
    options = ack["options"]
    assert isinstance(options, dict)
    assert options["message-type"] == (5,)
    assert options["router"] == ("10.77.0.254",)
    assert options["lease_time"] == (43200,)
    assert bed.names() == ["dhcp.discover", "dhcp.offer", "dhcp.request", "dhcp.ack"]


async def test_hostile_datagrams_are_told_once_and_stop_nothing(bed: Bed, wire: Wire) -> None:
    for garbage in (b"", b"\0", os.urandom(400), b"\x01" * 1400, NETWORKD.datagram(DISCOVER)[:241]):
        for _ in range(20):
            wire.send(garbage)
    await wire.ask(IPXE_BIOS.datagram(DISCOVER))

    assert bed.names() == ["dhcp.malformed", "dhcp.discover", "dhcp.offer"]


async def test_a_busybox_client_configures_itself_from_the_pool(bed: Bed, tmp_path: Path) -> None:
    bed.clients.ip("link", "set", bed.theirs, "address", STRANGER)
    script = tmp_path / "udhcpc.sh"
    script.write_text('#!/bin/sh\n[ "$1" = bound ] && ip addr add "$ip/$mask" dev "$interface"; exit 0\n')
    script.chmod(0o755)
    command: list[str | Path] = [
        "busybox",
        "udhcpc",
        "-f",
        "-n",
        "-q",
        "-R",
        "-t",
        "3",
        "-T",
        "1",
        "-i",
        bed.theirs,
        "-s",
        script,
    ]

    await asyncio.to_thread(bed.clients.run, command)

    shown = bed.clients.ip("-4", "-o", "addr", "show", "dev", bed.theirs)
    assert "10.77.0.20" in shown
    assert "/24" in shown
    assert bed.names() == ["dhcp.discover", "dhcp.offer", "dhcp.request", "dhcp.ack"]


async def test_a_running_system_renews_by_unicast(bed: Bed) -> None:
    bed.clients.address(bed.theirs, "10.77.0.11/24")
    with bed.clients.entered():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with opened:
        opened.settimeout(3)
        opened.bind(("10.77.0.11", 68))
        opened.sendto(NETWORKD.datagram(REQUEST, ciaddr=IPv4Address("10.77.0.11").packed), ("10.77.0.1", 67))
        reply = scapy_view(await asyncio.to_thread(opened.recv, 2048))

    assert (reply["yiaddr"], reply["ciaddr"]) == ("10.77.0.11", "10.77.0.11")


async def test_a_relay_gets_the_reply_for_its_client(bed: Bed) -> None:
    bed.clients.address(bed.theirs, "10.77.0.2/24")
    with bed.clients.entered():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with opened:
        opened.settimeout(3)
        opened.bind(("10.77.0.2", 67))
        relayed = NETWORKD.datagram(DISCOVER, giaddr=IPv4Address("10.77.0.2").packed, extra={82: b"\x01\x02ge"})
        opened.sendto(relayed, ("10.77.0.1", 67))
        reply = scapy_view(await asyncio.to_thread(opened.recv, 2048))

    assert (reply["yiaddr"], reply["giaddr"]) == ("10.77.0.11", "10.77.0.2")
    assert isinstance(reply["options"], dict)
    assert "relay_agent_information" in reply["options"]


async def test_an_interface_that_does_not_exist_is_an_error_that_names_it(bed: Bed) -> None:
    other = DhcpServer(
        interface="nosuch0",
        address=IPv4Address("10.77.0.1"),
        http_port=8080,
        snapshot=demo,
        catalogue=catalogue,
        record=bed.events.append,
    )

    with pytest.raises(UnavailableError, match="port 67 of nosuch0"):
        await other.start()
    await other.close()


async def test_a_closed_server_is_silent_and_closes_twice(bed: Bed, wire: Wire) -> None:
    await bed.server.close()
    await bed.server.close()

    with pytest.raises(TimeoutError):
        await wire.ask(IPXE_BIOS.datagram(DISCOVER))
