from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from provisioner.dhcp.server import DhcpServer
from provisioner.errors import UnavailableError
from provisioner.model.event import Event
from tests.support.background import background
from tests.support.capability import without_raw_sockets
from tests.support.daemon import eventually
from tests.support.netns import Namespace, namespace, veth
from tests.support.packets import (
    CLIENTS,
    IPXE_BIOS,
    MAC,
    NETWORKD,
    OVMF_PXE,
    Firmware,
    broadcast_frame,
    demo,
    reply_in,
    scapy_view,
)
from tests.support.resolved import catalogue
from tests.support.unpacked import program

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
        self.patience(30)

    def patience(self, seconds: float) -> None:
        self._socket.settimeout(seconds)

    async def ask(self, datagram: bytes, *, mac: str = MAC) -> dict[str, object]:
        """Broadcast a datagram and return scapy's view of the reply; TimeoutError without one."""
        self._socket.send(broadcast_frame(datagram, mac=mac))
        return scapy_view(await asyncio.to_thread(self._reply))

    def send(self, datagram: bytes) -> None:
        self._socket.send(broadcast_frame(datagram))

    def frame(self) -> bytes:
        """The next frame that carries a reply."""
        for _ in range(20):
            frame = self._socket.recv(4096)
            if reply_in(frame):
                return frame
        raise AssertionError("twenty frames and no reply among them")

    def close(self) -> None:
        self._socket.close()

    def _reply(self) -> bytes:
        return reply_in(self.frame()) or b""


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
        "10",
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
        opened.settimeout(30)
        opened.bind(("10.77.0.11", 68))
        opened.sendto(NETWORKD.datagram(REQUEST, ciaddr=IPv4Address("10.77.0.11").packed), ("10.77.0.1", 67))
        reply = scapy_view(await asyncio.to_thread(opened.recv, 2048))

    assert (reply["yiaddr"], reply["ciaddr"]) == ("10.77.0.11", "10.77.0.11")


async def test_a_relay_gets_the_reply_for_its_client(bed: Bed) -> None:
    bed.clients.address(bed.theirs, "10.77.0.2/24")
    with bed.clients.entered():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with opened:
        opened.settimeout(30)
        opened.bind(("10.77.0.2", 67))
        relayed = NETWORKD.datagram(DISCOVER, giaddr=IPv4Address("10.77.0.2").packed, extra={82: b"\x01\x02ge"})
        opened.sendto(relayed, ("10.77.0.1", 67))
        reply = scapy_view(await asyncio.to_thread(opened.recv, 2048))

    assert (reply["yiaddr"], reply["giaddr"]) == ("10.77.0.11", "10.77.0.2")
    assert isinstance(reply["options"], dict)
    assert "relay_agent_information" in reply["options"]


@pytest.mark.parametrize("client", [IPXE_BIOS, OVMF_PXE], ids=lambda client: client.name)
async def test_a_machine_without_an_address_is_reached_by_its_hardware_unless_it_wants_broadcasts(
    bed: Bed, wire: Wire, client: Firmware
) -> None:
    wire.send(client.datagram(DISCOVER))
    frame = Ether(await asyncio.to_thread(wire.frame))

    everybody = ("ff:ff:ff:ff:ff:ff", "255.255.255.255")
    assert (frame.dst, frame[IP].dst) == (everybody if client is OVMF_PXE else (MAC, "10.77.0.11"))
    assert (frame[IP].src, frame[UDP].sport, frame[UDP].dport) == ("10.77.0.1", 67, 68)
    if client is IPXE_BIOS:
        # The system leaves the sum of its own datagram to the hardware, which this cable does not have.
        sums = frame[IP].chksum, frame[UDP].chksum
        del frame[IP].chksum, frame[UDP].chksum
        again = Ether(bytes(frame))
        assert (again[IP].chksum, again[UDP].chksum) == sums


async def test_without_raw_frames_everybody_hears_the_reply_and_this_is_told_once(
    cable: tuple[Namespace, str, Namespace, str],
) -> None:
    home, ours, clients, theirs = cable
    events: list[Event] = []
    server = DhcpServer(
        interface=ours,
        address=IPv4Address("10.77.0.1"),
        http_port=8080,
        snapshot=demo,
        catalogue=catalogue,
        record=events.append,
    )
    with home.entered(), without_raw_sockets():
        await server.start()
    bed = Bed(server, home, ours, clients, theirs, events)
    wire = Wire(bed)
    try:
        for _ in range(2):
            wire.send(IPXE_BIOS.datagram(DISCOVER))
            frame = Ether(await asyncio.to_thread(wire.frame))
            assert frame.dst == "ff:ff:ff:ff:ff:ff"
    finally:
        wire.close()
        await server.close()

    assert bed.names().count("dhcp.broadcast") == 1
    assert "CAP_NET_RAW" in events[0].message


async def test_a_client_of_isc_configures_itself_with_its_reserved_address(bed: Bed, tmp_path: Path) -> None:
    script = tmp_path / "dhclient.sh"
    script.write_text(
        '#!/bin/sh\n[ -n "$new_ip_address" ] && echo "$reason $new_ip_address" >> "$0.seen"; exit 0\n'
    )
    script.chmod(0o755)
    files: list[str | Path] = [
        "-lf",
        tmp_path / "leases",
        "-pf",
        tmp_path / "pid",
        "-cf",
        "/dev/null",
        "-sf",
        script,
    ]
    command: list[str | Path] = [program("sbin/dhclient"), "-4", "-1", "-d", *files, bed.theirs]
    with background(bed.clients, command, log=tmp_path / "dhclient.log"):
        seen = tmp_path / "dhclient.sh.seen"
        await asyncio.to_thread(eventually, lambda: seen.exists() and "BOUND 10.77.0.11" in seen.read_text())

    assert bed.names() == ["dhcp.discover", "dhcp.offer", "dhcp.request", "dhcp.ack"]


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

    wire.patience(3)
    with pytest.raises(TimeoutError):
        await wire.ask(IPXE_BIOS.datagram(DISCOVER))
