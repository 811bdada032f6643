"""Router advertisements for a lab, so that iPXE does not wait 13 s for an IPv6 router that will never answer.

A program of its own, run inside the namespace: `python -m provisioner.lab.advertise br0`. The advertisement (RFC
4861 section 4.2) says that there is a network, but neither prefix nor router on it.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from contextlib import suppress

_ADVERTISEMENT = 134
_ALL_NODES = "ff02::1"
_HOP_LIMIT = 255  # RFC 4861 section 6.1.2: receivers drop anything else
_PERIOD_SECONDS = 0.5


def advertisement() -> bytes:
    """The message; the kernel fills in the checksum, lifetime 0 means: not a default router."""
    return struct.pack("!BBHBBHII", _ADVERTISEMENT, 0, 0, 0, 0, 0, 0, 0)


def main(interface: str) -> None:
    """Advertise on an interface until killed."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sender:
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOP_LIMIT)
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(interface))
        while True:
            # Without a running node the bridge has no link, and no address to send from.
            with suppress(OSError):
                sender.sendto(advertisement(), (_ALL_NODES, 0))
            time.sleep(_PERIOD_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])
