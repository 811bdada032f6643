"""Simulated nodes: each speaks the protocols of a whole boot, packet by packet, and there may be hundreds.

Everything here runs in the namespace of the clients: enter it before the event loop starts.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from random import Random

import aiohttp

from provisioner.dhcp.codec import MAX_SIZE, decode
from provisioner.dhcp.message import Kind, Message, Option
from provisioner.errors import ProtocolError
from provisioner.model.address import MacAddress
from tests.support.packets import IPXE_BIOS

LOSS = 0.01
"""How often a DHCP reply is lost, and how often the transfer of a root image breaks off."""

_DHCP_TRIES = 5
_DHCP_SECONDS = 2.0
_HTTP_SECONDS = aiohttp.ClientTimeout(total=300)


class Wire:
    """The clients' end of the cable: frames out, as clients without an address send them, and broadcasts in."""

    def __init__(self, device: str) -> None:
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._out.bind((device, 0))
        self._in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._in.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._in.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._in.bind(("", 68))
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
            message = decode(self._in.recv(MAX_SIZE + 1))
        except (BlockingIOError, ProtocolError):
            return
        waiting = self._waiting.get(message.xid)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)


@dataclass
class SimulatedNode:
    """A machine that boots once: `took` has the seconds of each step, `resumed` counts broken transfers."""

    mac: MacAddress
    wire: Wire
    random: Random
    took: dict[str, float] = field(default_factory=dict)
    resumed: int = 0

    async def boot(self) -> None:
        """From the first DISCOVER to the report of the running system; AssertionError where a step goes wrong."""
        with self._timed("whole boot"):
            with self._timed("dhcp"):
                address, url = await self._lease()
            connector = aiohttp.TCPConnector(local_addr=(str(address), 0))
            async with aiohttp.ClientSession(connector=connector, timeout=_HTTP_SECONDS) as session:
                await self._boot_by_http(session, url)

    async def _lease(self) -> tuple[IPv4Address, str]:
        offer = await self._exchange(Kind.DISCOVER, {})
        assert offer.kind is Kind.OFFER, offer
        wanted = {50: offer.yiaddr.packed, 54: offer.options[Option.SERVER]}
        granted = await self._exchange(Kind.REQUEST, wanted)
        assert (granted.kind, granted.yiaddr) == (Kind.ACK, offer.yiaddr), granted
        return granted.yiaddr, granted.file.decode()

    async def _exchange(self, kind: Kind, extra: dict[int, bytes]) -> Message:
        for attempt in range(_DHCP_TRIES):
            datagram = IPXE_BIOS.datagram(kind, mac=self.mac, xid=self.random.getrandbits(32), extra=extra)
            try:
                reply = await self.wire.ask(datagram, mac=self.mac, seconds=_DHCP_SECONDS * 2**attempt)
            except TimeoutError:
                continue
            if self.random.random() >= LOSS:
                return reply
        raise AssertionError(f"{self.mac}: no reply to {kind.name} in {_DHCP_TRIES} tries")

    async def _boot_by_http(self, session: aiohttp.ClientSession, url: str) -> None:
        with self._timed("script"):
            script = (await _get(session, url)).decode()
        kernel, stage1 = _urls(script)
        with self._timed("kernel, stage 1"):
            await _get(session, kernel)
            await _get(session, kernel.replace("/kernel", "/stage1"))
        await self._run_stage1(session, stage1)

    async def _run_stage1(self, session: aiohttp.ClientSession, base: str) -> None:
        await _report(session, base, "stage1.started")
        with self._timed("sheet"):
            lines = (await _get(session, f"{base}/sheet")).decode().splitlines()
        sheet = dict(line.split("=", 1) for line in lines)
        with self._timed("root"):
            digest = await self._fetch_root(session, f"{base}/root", int(sheet["root_size"]))
        assert digest == sheet["root_sha256"], f"{self.mac}: the root is damaged"
        await _report(session, base, "image.verified")
        with self._timed("overlay"):
            overlay = await _get(session, f"{base}/overlay/system")
        assert hashlib.sha256(overlay).hexdigest() == sheet["overlay_sha256"], f"{self.mac}: a damaged overlay"
        await _report(session, base, "overlay.applied")
        with self._timed("handover"):
            token = await _report(session, base, "handover.done")
        with self._timed("system report"):
            await _report(session, f"{base.rpartition('/')[0]}/{token}", "system.report", state="running")

    async def _fetch_root(self, session: aiohttp.ClientSession, url: str, size: int) -> str:
        digest, got = hashlib.sha256(), 0
        while got < size:
            breaks_at = got + self.random.randrange(size - got) if self.random.random() < LOSS else size
            headers = {"Range": f"bytes={got}-"} if got else {}
            async with session.get(url, headers=headers) as answer:
                assert answer.status == (206 if got else 200), await answer.text()
                async for piece in answer.content.iter_any():
                    digest.update(piece)
                    got += len(piece)
                    if breaks_at <= got < size:
                        self.resumed += 1
                        answer.close()
                        break
        return digest.hexdigest()

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.took[step] = time.monotonic() - started


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


def _urls(script: str) -> tuple[str, str]:
    """The URL of the kernel, and what all fetches of stage 1 start with."""
    kernel, token = re.search(r"http://\S+/t/\S+/kernel", script), re.search(r"prov\.token=(\S+)", script)
    assert kernel, script
    assert token, script
    return kernel[0], f"{kernel[0].partition('/t/')[0]}/t/{token[1]}"


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as answer:
        body = await answer.read()
        assert answer.status == 200, f"{url}: {answer.status} {body[:200]!r}"
        return body


async def _report(session: aiohttp.ClientSession, base: str, event: str, **facts: str) -> str:
    pairs = {"event": event, "uptime": "7.5", **facts}
    lines = "".join(f"{key}={value}\n" for key, value in pairs.items())
    async with session.post(f"{base}/report", data=lines.encode()) as answer:
        text = await answer.text()
        assert answer.status == 200, f"{event}: {answer.status} {text}"
        return text
