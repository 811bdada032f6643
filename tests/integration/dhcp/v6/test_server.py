from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest

from provisioner.boot.attempts import TRIES, Attempts
from provisioner.dhcp.advertise import RouterAdvertiser
from provisioner.dhcp.v6.codec import decode, encode
from provisioner.dhcp.v6.message import Kind, Message, Option, Packet, Relay
from provisioner.dhcp.v6.server import Dhcp6Server
from provisioner.errors import UnavailableError
from provisioner.model.event import Event
from provisioner.model.tally import Tally
from tests.support.netns import Namespace, namespace, veth
from tests.support.packets import MAC
from tests.support.packets6 import HEAD, MINE, PXE, SYSTEM, demo6
from tests.support.resolved import catalogue
from tests.support.unpacked import program

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ip", "busybox")]


@dataclass
class Bed:
    """A server and its router advertiser in one namespace, and a cable to the namespace of a client."""

    home: Namespace
    ours: str
    clients: Namespace
    theirs: str
    events: list[Event] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    attempts: Attempts = field(default_factory=Attempts)

    def server(self, interface: str | None = None) -> Dhcp6Server:
        return Dhcp6Server(
            interface=interface or self.ours,
            address=HEAD,
            snapshot=demo6,
            catalogue=catalogue,
            record=self.events.append,
            tally=self.tally,
            attempts=self.attempts,
        )


@pytest.fixture
def cable() -> Iterator[Bed]:
    with namespace() as home, namespace() as clients:
        for each in (home, clients):
            # The link-local address is usable at once without duplicate address detection.
            each.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"])
        with veth(home, clients) as (ours, theirs):
            clients.ip("link", "set", theirs, "down")
            clients.ip("link", "set", theirs, "address", MAC)
            home.address(ours, f"{HEAD}/64")
            yield Bed(home, ours, clients, theirs)


@pytest.fixture
async def bed(cable: Bed) -> AsyncIterator[Bed]:
    server, advertiser = cable.server(), RouterAdvertiser(interface=cable.ours, prefix=IPv6Network("fd77::/64"))
    with cable.home.entered():
        await server.start()
        await advertiser.start()
    cable.clients.ip("link", "set", cable.theirs, "up")
    async with asyncio.timeout(30):
        # An address that the kernel still looks for elsewhere (RFC 4862 section 5.4) sends nothing.
        while not _settled(cable.clients.ip("-6", "addr", "show", "dev", cable.theirs)):
            await asyncio.sleep(0.05)
    yield cable
    await advertiser.close()
    await server.close()


def _settled(shown: str) -> bool:
    return "scope link" in shown and "tentative" not in shown


class Speaker:
    """A socket on the port of clients, or of relays."""

    def __init__(self, bed: Bed, port: int) -> None:
        with bed.clients.entered():
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self._index = socket.if_nametoindex(bed.theirs)
        self.socket.bind(("::", port))
        self.socket.settimeout(30)

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, ("ff02::1:2", 547, 0, self._index))

    async def ask(self, packet: Packet) -> Packet:
        self.send(encode(packet))
        return decode(await asyncio.to_thread(self.socket.recv, 4096))


async def until(bed: Bed, text: str, *words: str) -> str:
    """What `ip` says in the client's namespace once it says a text."""
    async with asyncio.timeout(30):
        while text not in (shown := bed.clients.ip(*words)):
            await asyncio.sleep(0.05)
    return shown


async def test_a_real_kernel_learns_the_prefix_and_no_route_and_makes_no_address(bed: Bed) -> None:
    route = await until(bed, "fd77::/64", "-6", "route", "show", "dev", bed.theirs)

    assert "default" not in route
    assert "fd77" not in bed.clients.ip("-6", "addr", "show", "dev", bed.theirs)


@pytest.fixture
def dhclient(bed: Bed, tmp_path: Path) -> list[str | Path]:
    """The command of ISC's client, which writes down what it is told and sets the address."""
    script = tmp_path / "script"
    script.write_text(
        f"#!/bin/sh\nenv >> {tmp_path}/told\n"
        '[ "$reason" = BOUND6 ] && ip -6 addr add "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" nodad\n'
        "exit 0\n"
    )
    script.chmod(0o755)
    (tmp_path / "dhclient.conf").write_text(
        "option dhcp6.boot-url code 59 = text;\n"
        "option dhcp6.architecture code 61 = unsigned integer 16;\n"
        "option dhcp6.class code 16 = { unsigned integer 32, unsigned integer 16, text };\n"
        "send dhcp6.architecture 7;\n"
        'send dhcp6.class 343 32 "PXEClient:Arch:00007:UNDI:003001";\n'
        "also request dhcp6.boot-url, dhcp6.name-servers, dhcp6.domain-search;\n"
    )
    own: list[str | Path] = [
        "-cf",
        tmp_path / "dhclient.conf",
        "-lf",
        tmp_path / "leases",
        "-pf",
        tmp_path / "pid",
        "-sf",
        script,
    ]
    return [program("sbin/dhclient"), "-6", "-1", "-v", *own, "-D", "LL"]


async def test_iscs_client_gets_the_address_of_the_node_and_reaches_the_server(
    bed: Bed, dhclient: list[str | Path], tmp_path: Path
) -> None:
    await until(bed, "fd77::/64", "-6", "route", "show", "dev", bed.theirs)
    await asyncio.to_thread(bed.clients.run, [*dhclient, bed.theirs])
    try:
        await until(bed, str(MINE), "-6", "addr", "show", "dev", bed.theirs)
        await asyncio.to_thread(bed.clients.run, ["busybox", "ping6", "-c", "1", "-W", "5", str(HEAD)])
    finally:
        await asyncio.to_thread(bed.clients.run, [*dhclient, "-r", bed.theirs])

    told = (tmp_path / "told").read_text()
    assert "new_dhcp6_boot_url=tftp://[fd77::1]/snponly.efi" in told.replace('"', "")
    assert "new_dhcp6_name_servers=fd77::1" in told
    # The client asks again after a second.
    names = list(dict.fromkeys(event.name for event in bed.events))
    assert names == ["dhcp6.advertise", "dhcp6.reply", "dhcp6.release"]
    assert {event.node for event in bed.events} == {"n001"}


async def test_a_relayed_message_is_answered_to_the_relay(bed: Bed) -> None:
    bed.clients.address(bed.theirs, "fd77::2/64")
    with bed.clients.entered():
        opened = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    relay = Relay(0, IPv6Address("fd77::2"), IPv6Address("fe80::99"), ((Option.INTERFACE, b"ge0"),))
    with opened:
        opened.settimeout(30)
        opened.bind(("fd77::2", 547))
        opened.sendto(encode(Packet(SYSTEM.message(Kind.SOLICIT), (relay,))), (str(HEAD), 547))
        data = await asyncio.to_thread(opened.recv, 4096)

    assert data[0] == Kind.RELAY_REPLY
    packet = decode(data)
    assert packet.relays == (relay,)
    assert packet.message.associations[0].addresses[0].address == MINE


async def test_firmware_that_never_comes_to_its_script_is_told_the_next_loader(bed: Bed) -> None:
    asked = Packet(PXE.message(Kind.SOLICIT, extra=((Option.RAPID_COMMIT, b""),)))
    for attempt in range(TRIES):
        bed.attempts.gave(MAC, now=100.0 * attempt)
    speaker = Speaker(bed, 546)
    with speaker.socket:
        answer = await speaker.ask(asked)

    assert answer.message.option(Option.BOOT_FILE_URL) == b"tftp://[fd77::1]/ipxe.efi"
    assert [(event.name, event.mac, event.node) for event in bed.events][-1] == ("loader.stuck", MAC, "n001")


async def test_hostile_datagrams_are_told_once_and_stop_nothing(bed: Bed) -> None:
    speaker = Speaker(bed, 546)
    with speaker.socket:
        for garbage in (b"", b"\0", os.urandom(400), b"\x0c" * 1400, b"\x01\0\0\0\0\x03\xff\xff"):
            for _ in range(20):
                speaker.send(garbage)
        answer = await speaker.ask(Packet(SYSTEM.message(Kind.SOLICIT)))

    assert answer.message.kind == Kind.ADVERTISE
    names = [event.name for event in bed.events if event.name != "dhcp6.ignored"]
    assert names == ["dhcp6.malformed", "dhcp6.advertise"]
    assert bed.tally.count("dhcp6_messages", "malformed") >= 60
    assert bed.tally.count("dhcp6_messages", "advertise") == 1


async def test_it_serves_again_after_the_interface_was_down(bed: Bed) -> None:
    bed.home.ip("link", "set", bed.ours, "down")
    bed.home.ip("link", "set", bed.ours, "up")
    for ns, device in ((bed.home, bed.ours), (bed.clients, bed.theirs)):
        async with asyncio.timeout(30):
            while "scope link" not in ns.ip("-6", "addr", "show", "dev", device):
                await asyncio.sleep(0.05)
    speaker = Speaker(bed, 546)
    with speaker.socket:
        answer = await speaker.ask(Packet(SYSTEM.message(Kind.SOLICIT)))

    assert answer.message.associations[0].addresses[0].address == MINE


async def test_an_interface_that_does_not_exist_is_an_error_that_names_it(cable: Bed) -> None:
    server = cable.server("nosuch0")

    with pytest.raises(UnavailableError, match="port 547 of nosuch0"):
        await server.start()
    await server.close()


async def test_a_closed_server_is_silent_and_closes_twice(cable: Bed) -> None:
    server = cable.server()
    with cable.home.entered():
        await server.start()
    await server.close()
    await server.close()
    cable.clients.ip("link", "set", cable.theirs, "up")
    await until(cable, "scope link", "-6", "addr", "show", "dev", cable.theirs)

    speaker = Speaker(cable, 546)
    speaker.socket.settimeout(3)
    with speaker.socket, pytest.raises((TimeoutError, OSError)):
        await speaker.ask(Packet(Message(Kind.INFORMATION_REQUEST, 1)))
