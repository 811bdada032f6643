"""Files into sockets where descriptors run out."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.http.sender import THREADS, Sender

pytestmark = pytest.mark.integration

CONTENT = os.urandom(1000)


@contextmanager
def no_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_time_without_descriptors_costs_neither_transfers_nor_threads(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    loop, sender = asyncio.get_running_loop(), Sender()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=listening.accept()[0])
    with theirs, path.open("rb") as file:
        with no_descriptors():
            for _ in range(THREADS + 1):
                await sender.send(transport, file, 0, len(CONTENT))
                assert theirs.recv(1 << 16) == CONTENT
        assert not [each for each in threading.enumerate() if each.name.startswith("send")]

        await sender.send(transport, file, 0, len(CONTENT))
        assert theirs.recv(1 << 16) == CONTENT
        assert [each for each in threading.enumerate() if each.name.startswith("send")]
    transport.close()
    sender.close()
