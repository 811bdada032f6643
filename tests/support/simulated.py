"""DHCP as machines without an address speak it: broadcasts in frames of their own making.

Whole boots of simulated machines are `provisioner.lab.storm`. Enter the clients' namespace before the loop starts.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from provisioner.dhcp.codec import MAX_SIZE, decode
from provisioner.dhcp.message import Message
from provisioner.errors import ProtocolError
from provisioner.model.address import MacAddress

_IPV4 = 0x0800
_FRAME = 2048
_CLIENT_PORT = (68).to_bytes(2, "big")
# packet(7): a device takes frames to every MAC.
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1


class Wire:
    """The clients' end of the cable: frames out, as clients without an address send them, and broadcasts in."""

    def __init__(self, device: str) -> None:
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._out.bind((device, 0))
        # Answers to a machine without an address are frames to its MAC, which is not that of this device.
        self._in = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(_IPV4))
        self._in.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._in.bind((device, _IPV4))
        index = socket.if_nametoindex(device)
        self._in.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("iHH8s", index, _PROMISCUOUS, 0, b""))
        asyncio.get_running_loop().add_reader(self._in, self._readable)

    def close(self) -> None:
        """Close the sockets."""
        asyncio.get_running_loop().remove_reader(self._in)
        self._in.close()
        self._out.close()

    async def ask(self, datagram: bytes, *, mac: MacAddress, seconds: float) -> Message:
        """Broadcast a datagram; the reply to its transaction. TimeoutError without one."""
        xid = int.from_bytes(datagram[4:8], "big")
        reply = self._waiting[xid] = asyncio.get_running_loop().create_future()
        try:
            self._out.send(_broadcast_frame(datagram, mac))
            return await asyncio.wait_for(reply, seconds)
        finally:
            del self._waiting[xid]

    def _readable(self) -> None:
        try:
            packet = self._in.recv(_FRAME)
            length = (packet[0] & 15) * 4
            if packet[9] != socket.IPPROTO_UDP or packet[length + 2 : length + 4] != _CLIENT_PORT:
                return
            message = decode(packet[length + 8 :][:MAX_SIZE])
        except (BlockingIOError, ProtocolError):
            return
        waiting = self._waiting.get(message.xid)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)


def _broadcast_frame(datagram: bytes, mac: MacAddress) -> bytes:
    """The frame around a datagram of a client without an address; scapy's takes a thousand times as long."""
    udp = struct.pack("!4H", 68, 67, 8 + len(datagram), 0)
    fields = (0x45, 0, 20 + len(udp) + len(datagram), 0, 0, 64, socket.IPPROTO_UDP)
    head = struct.pack("!BBHHHBB", *fields)
    ends = bytes(4) + b"\xff" * 4
    total = sum(struct.unpack("!9H", head + ends))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
    return b"\xff" * 6 + mac.octets + b"\x08\x00" + head + checksum + ends + udp + datagram
