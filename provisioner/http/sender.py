"""Files into sockets by the kernel: a thread for each transfer, which sleeps in sendfile(2).

asyncio's own sendfile goes back to the event loop each time the socket's buffer has room, some hundred times a
second and transfer. A thread on a blocking socket wakes in the kernel, and the loop hears of it when all is sent:
a byte costs less than it costs nginx, and nobody else waits. Admission keeps such transfers few; where all threads
are busy or descriptors run out, and for TLS, the event loop sends.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

THREADS = 64
"""Transfers that have a thread; the event loop does the rest."""

SLOWEST = 16 << 10
"""Bytes a second: a client that takes less for half a minute is cut off, and may come again."""

_PIECE = 16 << 20
_LOOK = 30.0
_SHORTEST, _LONGEST = 0.001, 0.02
_BUFFER = 4 << 20
# socket(7), asm-generic/socket.h; Python has no name for it.
_SO_MAX_PACING_RATE = 47
_UNPACED = (1 << 64) - 1
# struct tcp_info of linux/tcp.h: 8 bytes of flags, 24 words, then pacing_rate, max_pacing_rate, bytes_acked.
# The first byte is the state: ESTABLISHED or CLOSE_WAIT of net/tcp_states.h, where data still goes out.
_OPEN = (1, 8)
_BYTES_ACKED = struct.Struct("=120xQ")


class Sender:
    """The threads, and what they send."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="send")
        self._busy = 0

    async def send(self, transport: asyncio.Transport, file: BinaryIO, offset: int, count: int) -> None:
        """Send a part of a file after what was written before.

        Raises ConnectionError where the client goes away or crawls, or the file cannot be read.
        """
        loop = asyncio.get_running_loop()
        encrypted = transport.get_extra_info("ssl_object") is not None
        own = None
        if not (encrypted or self._busy >= THREADS or transport.get_write_buffer_size()):
            own = _descriptors(transport.get_extra_info("socket").fileno(), file.fileno())
        if own is None:
            await loop.sendfile(transport, file, offset, count)
            return
        self._busy += 1
        connection, source = _taken_over(transport, own[0]), own[1]
        stop = threading.Event()
        job = asyncio.wrap_future(self._pool.submit(_pump, connection, stop, source, offset, count))
        # Not before the thread is done, whatever becomes of the handler: both numbers must stay taken.
        job.add_done_callback(lambda ended: self._given_back(ended, connection, source, transport))
        try:
            await _watched(connection, stop, job)
        except OSError as error:
            raise ConnectionResetError(f"the transfer broke off: {error}") from error

    def _given_back(
        self, job: asyncio.Future[None], connection: socket.socket, source: int, transport: asyncio.Transport
    ) -> None:
        # A handler that was ended asks no more how its transfer ended, and that is no fault to be logged.
        job.exception()
        self._busy -= 1
        os.close(source)
        connection.settimeout(0)
        connection.close()
        if not transport.is_closing():
            transport.resume_reading()

    def close(self) -> None:
        """Let the threads go; those that send end with their connections."""
        self._pool.shutdown(wait=False)


def pace(transport: asyncio.BaseTransport, rate: float | None) -> None:
    """Have the kernel send no more than so many bytes a second on a connection; None lifts the limit."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Whoever is paced must not look like a client that crawls.
        value = _UNPACED if rate is None else max(int(rate), 2 * SLOWEST)
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, struct.pack("=Q", value))


def _descriptors(connection: int, file: int) -> tuple[int, int] | None:
    """Descriptors of our own for both, or None where there are not enough left."""
    with suppress(OSError):
        own = os.dup(connection)
        try:
            return own, os.dup(file)
        except OSError:
            os.close(own)
    return None


def _taken_over(transport: asyncio.Transport, descriptor: int) -> socket.socket:
    """The connection below a transport, for a thread: blocking, under a descriptor of its own.

    A transport that is closed meanwhile gives its descriptor's number to the next connection; ours stays.
    """
    connection = socket.socket(fileno=descriptor)
    transport.pause_reading()
    connection.settimeout(None)
    # Full segments only, until the file ends.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    if _large_buffers():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return connection


def _large_buffers() -> bool:
    """Whether the system allows a buffer larger than those that it finds by itself: then threads wake rarely."""
    try:
        return int(Path("/proc/sys/net/core/wmem_max").read_text(encoding="ascii")) >= _BUFFER
    except (OSError, ValueError):
        return False


def _pump(connection: socket.socket, stop: threading.Event, file: int, offset: int, count: int) -> None:
    descriptor = connection.fileno()
    while count:
        sent = os.sendfile(descriptor, file, offset, min(count, _PIECE))
        if not sent:
            raise ConnectionAbortedError("the file is shorter than it was")
        offset, count = offset + sent, count - sent
    _drain(connection, stop)


def _drain(connection: socket.socket, stop: threading.Event) -> None:
    """Wait until the client has acknowledged all of it: what is in the buffer is not yet sent, nor paced."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    pause = _SHORTEST
    while _unacknowledged(connection):
        if stop.wait(pause) or not _is_open(connection):
            raise ConnectionResetError("the client went away")
        pause = min(2 * pause, _LONGEST)


def _is_open(connection: socket.socket) -> bool:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _OPEN


def _unacknowledged(connection: socket.socket) -> int:
    return int(struct.unpack("=i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0])


async def _watched(connection: socket.socket, stop: threading.Event, job: asyncio.Future[None]) -> None:
    """Wait for a thread, and end its connection where the client takes next to nothing or the handler is ended."""
    acknowledged = _acknowledged(connection)
    try:
        while not (await asyncio.wait({job}, timeout=_LOOK))[0]:
            before, acknowledged = acknowledged, _acknowledged(connection)
            if acknowledged - before < SLOWEST * _LOOK:
                _end(connection, stop)
    except asyncio.CancelledError:
        _end(connection, stop)
        raise
    job.result()


def _acknowledged(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
    return int(_BYTES_ACKED.unpack(info)[0]) if len(info) == _BYTES_ACKED.size else 0


def _end(connection: socket.socket, stop: threading.Event) -> None:
    stop.set()
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
