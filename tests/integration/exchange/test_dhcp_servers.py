"""The exports for DHCP servers, read by these servers, and what clients get from them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import decode, encode
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import answer
from provisioner.exchange.addressing import addressing_of
from provisioner.exchange.export import DHCP_EXPORTERS
from provisioner.host.run import run
from provisioner.model.snapshot import Snapshot
from tests.support.dhcpd import PROGRAMS
from tests.support.netns import namespace, veth
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
from tests.support.peers import listens
from tests.support.resolved import catalogue
from tests.support.rig import running

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ip", "dnsmasq")]

DISCOVER, REQUEST = 1, 3
HEAD = IPv4Address("10.77.0.1")
STRANGER = "52:54:00:99:99:99"
ARM = Firmware("arm64", {**OVMF_PXE.options, 93: b"\x00\x0b", 60: b"PXEClient:Arch:00011:UNDI:003000"})
OLD_ROM = Firmware("no architecture", {55: OVMF_PXE.options[55], 60: b"PXEClient"})
UNFIT = Firmware("ia32", {**OVMF_PXE.options, 93: b"\x00\x06", 60: b"PXEClient:Arch:00006:UNDI:003000"})
ALL = (*CLIENTS, ARM, OLD_ROM, UNFIT)
_ETH_P_IP = 0x0800


each_kind = pytest.mark.parametrize("kind", PROGRAMS)


def site() -> Snapshot:
    return demo(pool="10.77.0.200-10.77.0.203", gateway="10.77.0.254", search=["cluster.local", "example.org"])


def exported(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.conf"
    path.write_text(DHCP_EXPORTERS[kind](addressing_of(site())).text)
    return path


@each_kind
def test_the_program_takes_its_export(kind: str, tmp_path: Path) -> None:
    checked = PROGRAMS[kind](tmp_path, exported(kind, tmp_path), "lo")

    run(checked.check, timeout=60)


@dataclass
class Wire:
    """The clients' end of a cable to a server, as a socket for frames."""

    socket: socket.socket
    asked: int = 0

    async def ask(self, datagram: bytes, mac: str) -> dict[str, Any]:
        """What scapy reads in the answer to a broadcast; asked again where a server has just started."""
        # What comes late answers what was asked before.
        self.asked += 1
        datagram = datagram[:4] + self.asked.to_bytes(4, "big") + datagram[8:]
        for _ in range(10):
            self.socket.send(broadcast_frame(datagram, mac=mac))
            try:
                return scapy_view(await asyncio.to_thread(self._reply))
            except TimeoutError:
                continue
        raise AssertionError("asked ten times, and no answer")

    def _reply(self) -> bytes:
        for _ in range(50):
            if (reply := reply_in(self.socket.recv(4096))) and decode(reply).xid == self.asked:
                return reply
        raise AssertionError("fifty frames and no reply among them")


@contextmanager
def served(kind: str, folder: Path) -> Iterator[Wire]:
    """The program runs with our export; the clients' end of its cable."""
    with namespace() as home, namespace() as clients, veth(home, clients) as (ours, theirs):
        home.address(ours, f"{HEAD}/24")
        clients.ip("link", "set", theirs, "address", MAC)
        with clients.entered():
            frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
        frames.bind((theirs, 0))
        frames.settimeout(3)
        command = PROGRAMS[kind](folder, exported(kind, folder), ours).serve
        with frames, running(home, command, log=folder / "log", ready=listens(home, "udp", 67)):
            yield Wire(frames)


def ours(datagram: bytes) -> dict[str, Any]:
    """What our own policy answers, in scapy's view."""
    context = Context(site(), catalogue(), HEAD, 8080, Leases(), now=1000.0)
    reply = answer(decode(datagram), context).reply
    assert reply is not None
    return scapy_view(encode(reply))


def promise(view: dict[str, Any], mac: str) -> dict[str, Any]:
    """What a client acts on. iPXE expands the name of its file as it reads it."""
    file = view["file"].replace(b"${netX/mac:hexhyp}", mac.replace(":", "-").encode())
    names = (
        "message-type",
        "subnet_mask",
        "router",
        "name_server",
        "hostname",
        "domain",
        "lease_time",
        "vendor_class_id",
        175,
    )
    options = {str(name): _words(view["options"].get(name)) for name in names}
    return {
        "yiaddr": view["yiaddr"],
        "file": file,
        "siaddr": view["siaddr"] if file else None,
        **options,
    }


def _words(value: Any) -> Any:
    # dnsmasq ends some texts with a zero octet, as RFC 2132 section 2 lets it.
    return tuple(each.rstrip(b"\0") if isinstance(each, bytes) else each for each in value) if value else None


@each_kind
async def test_every_client_gets_what_our_own_policy_gives_it(kind: str, tmp_path: Path) -> None:
    with served(kind, tmp_path) as wire:
        for client in ALL:
            asked = client.datagram(DISCOVER)
            got = await wire.ask(asked, MAC)
            chosen = {50: IPv4Address("10.77.0.11").packed, 54: HEAD.packed}
            confirmed = client.datagram(REQUEST, extra=chosen)
            acked = await wire.ask(confirmed, MAC)

            assert promise(got, MAC) == promise(ours(asked), MAC), client.name
            assert promise(acked, MAC) == promise(ours(confirmed), MAC), client.name


@each_kind
async def test_a_client_that_asks_gets_the_search_domains(kind: str, tmp_path: Path) -> None:
    asked = IPXE_BIOS.datagram(DISCOVER)
    with served(kind, tmp_path) as wire:
        got = await wire.ask(asked, MAC)

    assert (
        got["options"][119] == ours(asked)["options"][119] == (b"\x07cluster\x05local\x00\x07example\x03org\x00",)
    )


@each_kind
async def test_a_stranger_gets_an_address_of_the_pool_for_ten_minutes(kind: str, tmp_path: Path) -> None:
    with served(kind, tmp_path) as wire:
        got = await wire.ask(NETWORKD.datagram(DISCOVER, mac=STRANGER), STRANGER)

    assert IPv4Address("10.77.0.200") <= IPv4Address(got["yiaddr"]) <= IPv4Address("10.77.0.203")
    assert got["options"]["lease_time"] == (600,)
