"""Reading datagrams off a socket in batches."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

_BATCH = 64


def waiting(opened: socket.socket, size: int) -> Iterator[tuple[bytes, tuple[str, int]]]:
    """The datagrams that wait in a non-blocking socket and their senders, at most 64, each cut at `size` bytes.

    An event loop that reads one datagram a turn lets new clients starve behind thousands of busy ones.
    """
    for _ in range(_BATCH):
        try:
            data, source = opened.recvfrom(size)
        except BlockingIOError:
            return
        except OSError as error:
            # The network's answer to an earlier datagram, such as a port that nobody listens on.
            logger.debug("%s", error)
            return
        yield data, source


class WatchedSocket:
    """A socket that the event loop watches, from `open` to `close`; closing what is not open is no error."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def open(self, opened: socket.socket, readable: Callable[[socket.socket], None]) -> None:
        """Call `readable` whenever something can be read."""
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened, readable, opened)

    def close(self) -> None:
        """Stop watching, and close the socket."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
