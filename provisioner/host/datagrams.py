"""Reading datagrams off a socket in batches."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

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
