"""A network with a DHCP server of its own (dnsmasq): ours beside it as a proxy, or alarmed by it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether

from provisioner.dhcp.codec import decode
from provisioner.dhcp.message import Kind, Message, Option
from provisioner.dhcp.reply import BOOT_SERVICE_PORT
from provisioner.dhcp.sentry import Sentry
from provisioner.dhcp.server import DhcpServer
from provisioner.model.event import Event, Level
from provisioner.model.snapshot import Snapshot
from tests.support.background import background
from tests.support.capability import without_raw_sockets
from tests.support.netns import Namespace, namespace, veth
from tests.support.packets import IPXE_BIOS, MAC, NETWORKD, OVMF_PXE, broadcast_frame, demo
from tests.support.resolved import catalogue

pytestmark = [pytest.mark.integration, pytest.mark.needs("ip", "dnsmasq", "ss")]

SERVER, PARTNER = IPv4Address("10.77.0.1"), IPv4Address("10.77.0.5")
_ETH_P_IP = 0x0800
_ANSWERS: dict[Kind | None, Kind] = {Kind.DISCOVER: Kind.OFFER, Kind.REQUEST: Kind.ACK}


@dataclass
class Room:
    """A switch (`br0` in `home`) with our server, somebody else's, and a machine on it."""

    home: Namespace
    partner: Namespace
    partners: str
    machine: Namespace
    theirs: str
    folder: Path

    def dnsmasq(self) -> list[str]:
        """The command of the other server, which gives n001 its address."""
        options = ["--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--log-facility=-", "--user=root"]
        place = [f"--interface={self.partners}", f"--dhcp-leasefile={self.folder / 'leases'}"]
        return ["dnsmasq", *options, *place, "--dhcp-range=10.77.0.50,10.77.0.60", f"--dhcp-host={MAC},10.77.0.11"]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with (
        namespace() as home,
        namespace() as partner,
        namespace() as machine,
        veth(home, partner) as (one, partners),
        veth(home, machine) as (other, theirs),
    ):
        home.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0")
        for port in (one, other):
            home.ip("link", "set", port, "master", "br0")
        home.address("br0", f"{SERVER}/24")
        partner.address(partners, f"{PARTNER}/24")
        machine.ip("link", "set", theirs, "address", MAC)
        yield Room(home, partner, partners, machine, theirs, tmp_path)


class Machine:
    """What a machine without an address sends and hears: frames."""

    def __init__(self, room: Room) -> None:
        with room.machine.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
        self._socket.bind((room.theirs, 0))
        self._socket.settimeout(0.2)

    async def hears(self, datagram: bytes, *servers: IPv4Address) -> dict[IPv4Address, Message]:
        """Ask until all these servers have answered; what each one said."""
        return await asyncio.to_thread(self._hear, datagram, servers)

    def _hear(self, datagram: bytes, servers: tuple[IPv4Address, ...]) -> dict[IPv4Address, Message]:
        wanted, heard = _ANSWERS[decode(datagram).kind], dict[IPv4Address, Message]()
        for _ in range(50):
            self._socket.send(broadcast_frame(datagram))
            with suppress(TimeoutError):
                while not set(servers) <= set(heard):
                    parsed = Ether(self._socket.recv(4096))
                    if UDP in parsed and parsed[UDP].dport == 68:
                        message = decode(bytes(parsed[UDP].payload))
                        # What comes late may answer a packet of before.
                        if message.kind is wanted:
                            heard[message.address(Option.SERVER) or IPv4Address(0)] = message
            if set(servers) <= set(heard):
                return heard
        raise AssertionError(f"only {list(heard)} of {servers} answered")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def machine(room: Room) -> Iterator[Machine]:
    opened = Machine(room)
    yield opened
    opened.close()


def server(site: Snapshot, events: list[Event], *, boot_service: bool = False) -> DhcpServer:
    return DhcpServer(
        interface="br0",
        address=SERVER,
        port=BOOT_SERVICE_PORT if boot_service else 67,
        http_port=8080,
        snapshot=lambda: site,
        catalogue=catalogue,
        record=events.append,
        boot_service=boot_service,
    )


async def test_an_address_comes_from_the_other_server_and_the_boot_file_from_ours(
    room: Room, machine: Machine
) -> None:
    events: list[Event] = []
    proxy = server(demo(dhcp="proxy"), events)
    with room.home.entered():
        await proxy.start()
    with background(room.partner, room.dnsmasq(), log=room.folder / "dnsmasq.log"):
        heard = await machine.hears(IPXE_BIOS.datagram(Kind.DISCOVER), SERVER, PARTNER)
        chosen = {50: heard[PARTNER].yiaddr.packed, 54: PARTNER.packed}
        acknowledged = await machine.hears(IPXE_BIOS.datagram(Kind.REQUEST, extra=chosen), PARTNER)
    await proxy.close()

    assert str(heard[PARTNER].yiaddr) == "10.77.0.11"
    assert (str(heard[SERVER].yiaddr), heard[SERVER].options[Option.VENDOR_CLASS]) == ("0.0.0.0", b"PXEClient")
    assert heard[SERVER].file.endswith(b"/boot/52-54-00-77-00-10")
    assert acknowledged[PARTNER].kind is Kind.ACK
    assert {"dhcp.discover", "dhcp.offer", "dhcp.ignored"} == {event.name for event in events}


async def test_port_4011_answers_by_unicast(room: Room) -> None:
    events: list[Event] = []
    service = server(demo(dhcp="proxy"), events, boot_service=True)
    with room.home.entered():
        await service.start()
    room.machine.address(room.theirs, "10.77.0.11/24")
    with room.machine.entered():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with opened:
        opened.settimeout(30)
        opened.bind(("10.77.0.11", 0))
        asked = OVMF_PXE.datagram(Kind.REQUEST, ciaddr=IPv4Address("10.77.0.11").packed)
        opened.sendto(asked, (str(SERVER), BOOT_SERVICE_PORT))
        data, source = await asyncio.to_thread(opened.recvfrom, 2048)
    await service.close()

    assert (decode(data).kind, decode(data).file, source) == (Kind.ACK, b"snponly.efi", (str(SERVER), 4011))


async def test_another_server_on_a_network_of_ours_is_an_alarm_told_once(room: Room, machine: Machine) -> None:
    events: list[Event] = []
    sentry = Sentry(interface="br0", address=SERVER, snapshot=demo, record=events.append)
    with room.home.entered():
        await sentry.start()
    with background(room.partner, room.dnsmasq(), log=room.folder / "dnsmasq.log"):
        for _ in range(3):
            await machine.hears(OVMF_PXE.datagram(Kind.DISCOVER), PARTNER)
    await sentry.close()

    (event,) = events
    hardware = (room.partner.run(["cat", f"/sys/class/net/{room.partners}/address"])).strip()
    assert (event.name, event.level, event.address) == ("dhcp.foreign", Level.ALARM, str(PARTNER))
    assert event.message == f"another DHCP server, {PARTNER} ({hardware}), answers {MAC}: OFFER of 10.77.0.11"


async def test_our_own_replies_and_other_packets_are_no_alarm(room: Room, machine: Machine) -> None:
    events: list[Event] = []
    told: list[Event] = []
    sentry = Sentry(interface="br0", address=SERVER, snapshot=demo, record=told.append)
    ours = server(demo(), events)
    with room.home.entered():
        await sentry.start()
        await ours.start()
    for client in (OVMF_PXE, NETWORKD):
        await machine.hears(client.datagram(Kind.DISCOVER), SERVER)
    await ours.close()
    await sentry.close()

    assert told == []


async def test_without_a_packet_socket_the_sentry_says_that_it_sees_nothing(room: Room) -> None:
    events: list[Event] = []
    sentry = Sentry(interface="br0", address=SERVER, snapshot=demo, record=events.append)
    with room.home.entered(), without_raw_sockets():
        await sentry.start()
    await sentry.close()

    assert [event.name for event in events] == ["dhcp.unwatched"]
