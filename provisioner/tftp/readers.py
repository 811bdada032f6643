"""Who is told when which socket can be read: thousands of transfers that leave the event loop time for others.

The event loop reads every socket that is ready before it looks at new ones. With thousands of transfers a DHCP
packet would wait for all of them. So only a few sockets are the loop's own; the others share an epoll, which is
one more socket to the loop and hands out a small party at a time, each in its turn.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable

PARTY = 64
"""Sockets that are the loop's own, and those of the others that are read in one turn of the loop."""


class Readers:
    """Calls back for each socket that can be read. Close it at the end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._few: set[int] = set()
        self._many: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()
        loop.add_reader(self._epoll, self._party)

    def add(self, opened: socket.socket, call: Callable[[], None]) -> None:
        """Call back from now on when this socket can be read."""
        number = opened.fileno()
        if len(self._few) < PARTY:
            self._few.add(number)
            self._loop.add_reader(number, call)
        else:
            self._many[number] = call
            self._epoll.register(number, select.EPOLLIN)

    def remove(self, opened: socket.socket) -> None:
        """No more, and before the socket is closed."""
        number = opened.fileno()
        if number in self._few:
            self._few.remove(number)
            self._loop.remove_reader(number)
        else:
            del self._many[number]
            self._epoll.unregister(number)

    def close(self) -> None:
        """Look at nothing any more; closing twice is no error."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll)
            self._epoll.close()

    def _party(self) -> None:
        for number, _ in self._epoll.poll(0, PARTY):
            # What one of the party does may end another one.
            call = self._many.get(number)
            if call is not None:
                call()
