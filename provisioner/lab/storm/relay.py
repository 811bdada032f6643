"""The relay agent of a rack: DHCP as unicast to the head node with option 82 (RFC 2131 section 4.1, RFC 3046)."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from types import MappingProxyType

from provisioner.dhcp.codec import MAX_SIZE, decode, encode
from provisioner.dhcp.message import BROADCAST_FLAG, Kind, Message, Op, Option
from provisioner.errors import ProtocolError, UnavailableError
from provisioner.host.datagrams import waiting
from provisioner.lab.storm.plan import Client, Plan
from provisioner.lab.storm.weather import Sky
from provisioner.model.address import MacAddress

_RECEIVE_BUFFER = 8 << 20
# Circuit id and remote id, the two sub-options of RFC 3046: a port, and the switch that it belongs to.
_SWITCH = b"\x02\x06\x02\x00\x00\x00\x82\x01"


@dataclass(frozen=True, slots=True)
class Program:
    """What asks: its options, its flags, and the seconds for which it waits for an answer, try by try."""

    options: MappingProxyType[int, bytes]
    patience: tuple[float, ...]
    flags: int = 0


def _firmware(architecture: bytes, interface: bytes, vendor: bytes) -> dict[int, bytes]:
    wanted = bytes((1, 3, 6, 12, 15, 43, 60, 66, 67, 97))
    return {55: wanted, 60: vendor, 93: architecture, 94: interface}


# As captured from SeaBIOS with a boot ROM, OVMF, and iPXE (docs/network-services.md). A firmware waits 4, 8, 16
# and 32 s (PXE 2.1 section 2.2.4), and then its machine starts again.
_BIOS = _firmware(b"\0\0", b"\1\2\1", b"PXEClient:Arch:00000:UNDI:002001")
_UEFI = _firmware(b"\0\7", b"\1\3\0", b"PXEClient:Arch:00007:UNDI:003000")
_IPXE = {77: b"iPXE", 175: bytes.fromhex("b105011af41000eb0301000013010115010117010127010129 0101")}
_FIRMWARE_SECONDS = (4.0, 8.0, 16.0, 32.0)
_IPXE_SECONDS = (1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0)

BIOS = Program(MappingProxyType(_BIOS), _FIRMWARE_SECONDS)
UEFI = Program(MappingProxyType(_UEFI), _FIRMWARE_SECONDS, BROADCAST_FLAG)
IPXE_BIOS = Program(MappingProxyType({**_BIOS, **_IPXE}), _IPXE_SECONDS)
IPXE_UEFI = Program(MappingProxyType({**_UEFI, **_IPXE}), _IPXE_SECONDS)


@dataclass(frozen=True, slots=True)
class Granted:
    """What an ACK gives: the address, and what to load next, from where; `repeats` counts messages sent again."""

    address: IPv4Address
    file: str
    server: IPv4Address
    repeats: int


class Relay:
    """Asks for many clients through one socket; `start` opens it in the network of the process."""

    def __init__(self, plan: Plan, sky: Sky) -> None:
        self._plan = plan
        self._sky = sky
        self._address = IPv4Address(plan.relay)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._last_id = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def start(self) -> None:
        """Listen as a relay does, on the port of servers."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket.bind((str(self._address), self._plan.dhcp_port))
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Close the socket."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    async def lease(self, client: Client, program: Program) -> Granted:
        """DISCOVER, OFFER, REQUEST, ACK. UnavailableError in silence, ProtocolError at a wrong answer."""
        offer, lost = await self._exchange(client, program, Kind.DISCOVER, {})
        server = offer.options.get(Option.SERVER, b"")
        wanted: dict[int, bytes] = {Option.REQUESTED_ADDRESS: offer.yiaddr.packed, Option.SERVER: server}
        granted, again = await self._exchange(client, program, Kind.REQUEST, wanted)
        if granted.kind is not Kind.ACK or granted.yiaddr != IPv4Address(client.address):
            kind = granted.kind.name if granted.kind is not None else "no type"
            raise ProtocolError(f"DHCP answers {kind} with {granted.yiaddr}")
        return Granted(granted.yiaddr, granted.file.decode(), granted.siaddr, lost + again)

    async def _exchange(
        self, client: Client, program: Program, kind: Kind, extra: dict[int, bytes]
    ) -> tuple[Message, int]:
        xid = self._last_id = self._last_id + 1
        data = encode(self._message(client, program, {Option.KIND: bytes((kind,)), **extra}, xid))
        answer = self._waiting[xid] = asyncio.get_running_loop().create_future()
        try:
            for attempt, seconds in enumerate(program.patience):
                self._sky.deliver(lambda: self._send(data))
                done, _ = await asyncio.wait({answer}, timeout=seconds)
                if done:
                    return answer.result(), attempt
        finally:
            del self._waiting[xid]
        raise UnavailableError(f"no answer to {kind.name}")

    def _message(self, client: Client, program: Program, first: dict[int, bytes], xid: int) -> Message:
        number = int(IPv4Address(client.address)) & 0xFFFF
        port = b"\x01\x02" + number.to_bytes(2, "big")
        return Message(
            op=Op.REQUEST,
            xid=xid,
            chaddr=MacAddress(client.mac).octets,
            hops=1,
            flags=program.flags,
            giaddr=self._address,
            options=MappingProxyType({**first, **program.options, Option.RELAY: port + _SWITCH}),
        )

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, (self._plan.head, self._plan.dhcp_port))
        except OSError:
            # As good as lost: nobody listens there, or the buffer is full.
            return

    def _readable(self) -> None:
        for data, _ in waiting(self._socket, MAX_SIZE + 1):
            self._sky.deliver(partial(self._receive, data))

    def _receive(self, data: bytes) -> None:
        try:
            message = decode(data)
        except ProtocolError:
            return
        answer = self._waiting.get(message.xid)
        if answer is not None and not answer.done():
            answer.set_result(message)
