from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from scapy.layers.inet6 import ICMPv6ND_RA

from provisioner.dhcp.advertise import RouterAdvertiser
from tests.support.netns import Namespace, namespace, veth

pytestmark = [pytest.mark.integration, pytest.mark.needs("ip")]

ROUTERS = "ff02::2"
SOLICITATION = b"\x85" + bytes(7)


@dataclass
class Bed:
    """An advertiser at one end of a cable."""

    advertiser: RouterAdvertiser
    home: Namespace
    clients: Namespace
    theirs: str


@pytest.fixture
def cable() -> Iterator[tuple[Namespace, str, Namespace, str]]:
    with namespace() as home, namespace() as clients:
        for each in (home, clients):
            # The link-local address is usable at once without duplicate address detection.
            each.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"])
            # The kernel asks for routers by itself, again and again, and what it gets would look like ours.
            each.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/router_solicitations"])
        with veth(home, clients) as (ours, theirs):
            yield home, ours, clients, theirs


@pytest.fixture
async def bed(cable: tuple[Namespace, str, Namespace, str]) -> AsyncIterator[Bed]:
    home, ours, clients, theirs = cable
    async with asyncio.timeout(30):
        while not all("scope link" in ns.ip("-6", "addr", "show") for ns in (home, clients)):
            await asyncio.sleep(0.05)
    advertiser = RouterAdvertiser(interface=ours)
    with home.entered():
        await advertiser.start()
    yield Bed(advertiser, home, clients, theirs)
    await advertiser.close()


class Neighbour:
    """An ICMPv6 socket on the clients' end of the cable."""

    def __init__(self, bed: Bed, *, hops: int = 255) -> None:
        with bed.clients.entered():
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
            self._index = socket.if_nametoindex(bed.theirs)
        self.socket.settimeout(2)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)

    async def solicit(self) -> ICMPv6ND_RA:
        """Ask all routers and return the advertisement; TimeoutError without one."""
        self.socket.sendto(SOLICITATION, (ROUTERS, 0, 0, self._index))
        return await asyncio.to_thread(self._advertisement)

    def _advertisement(self) -> ICMPv6ND_RA:
        for _ in range(20):
            packet = self.socket.recv(1500)
            if packet[0] == 134:
                return ICMPv6ND_RA(packet)
        raise AssertionError("twenty packets and no advertisement among them")


async def test_a_solicitation_gets_an_advertisement_that_configures_nothing(bed: Bed) -> None:
    neighbour = Neighbour(bed)
    with neighbour.socket:
        answer = await neighbour.solicit()

    assert (answer.code, answer.routerlifetime, answer.M, answer.O) == (0, 0, 0, 0)
    assert not answer.payload
    assert "default" not in bed.clients.ip("-6", "route")


async def test_a_solicitation_that_may_have_been_routed_gets_silence(bed: Bed) -> None:
    neighbour = Neighbour(bed, hops=64)
    with neighbour.socket, pytest.raises(TimeoutError):
        await neighbour.solicit()


async def test_the_advertiser_closes_twice(bed: Bed) -> None:
    await bed.advertiser.close()
    await bed.advertiser.close()


async def test_an_interface_without_ipv6_is_a_line_in_the_log(bed: Bed, caplog: pytest.LogCaptureFixture) -> None:
    other = RouterAdvertiser(interface="nosuch0")

    with caplog.at_level(logging.WARNING):
        await other.start()
    await other.close()

    assert "nosuch0 has no IPv6 link-local address" in caplog.text
    assert "no router advertisements on nosuch0" in caplog.text
