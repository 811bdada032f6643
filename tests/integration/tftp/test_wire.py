"""Windows over a way whose packets are smaller than the blocks."""

from __future__ import annotations

import asyncio
import os
import socket
from ipaddress import IPv4Address

import pytest

from provisioner.tftp.codec import HEADER, blocks
from provisioner.tftp.readers import Readers
from provisioner.tftp.wire import OwnPort, SharedPort, Wire
from tests.support.netns import namespace

pytestmark = [pytest.mark.integration, pytest.mark.root]

HOST = "127.0.0.1"
CONTENT = os.urandom(1400 * 7 + 5)


class Silent:
    """Hears nothing."""

    def receive(self, data: bytes) -> None:
        raise AssertionError(f"nobody sent {data!r}")

    def gone(self, reason: str) -> None:
        raise AssertionError(reason)


@pytest.mark.parametrize("mtu", [65536, 1280], ids=["the kernel cuts windows", "the kernel refuses to cut them"])
@pytest.mark.parametrize("shared", [False, True], ids=["own port", "shared port"])
async def test_a_window_arrives_packet_by_packet(mtu: int, shared: bool) -> None:
    packets = blocks(memoryview(CONTENT), 1400, range(1, 9))
    with namespace() as place, place.entered():
        place.ip("link", "set", "lo", "mtu", str(mtu))
        readers = Readers(asyncio.get_running_loop())
        client, server = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        with client, server:
            client.settimeout(5)
            client.bind((HOST, 0))
            server.bind((HOST, 0))
            wire: Wire
            if shared:
                wire = SharedPort(server, client.getsockname())
            else:
                wire = OwnPort(IPv4Address(HOST), client.getsockname(), readers)
            wire.attach(Silent())
            for _ in range(2):
                wire.send(packets, 1400 + HEADER)
                got = [client.recvfrom(4096) for _ in range(8)]
                assert b"".join(data[HEADER:] for data, _ in got) == CONTENT
                assert [data[3] for data, _ in got] == list(range(1, 9))
                assert all((source == server.getsockname()) is shared for _, source in got)
            wire.close()
        readers.close()
