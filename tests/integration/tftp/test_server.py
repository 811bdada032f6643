from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tftpy import TftpClient

from provisioner.errors import UnavailableError
from provisioner.host.run import run
from provisioner.model.address import MacAddress
from provisioner.model.event import Event, Level
from provisioner.model.tally import Tally
from provisioner.tftp.account import MAX_WARNINGS
from provisioner.tftp.packet import ErrorCode
from provisioner.tftp.server import MAX_ANSWERS, MAX_SESSIONS_PER_CLIENT, TftpServer
from provisioner.tftp.table import Held, RefusedError, Table, read_loaders
from provisioner.tftp.transfer import MAX_UNHEARD
from tests.support.packets import MAC, demo, interface, node, snapshot

pytestmark = [pytest.mark.integration, pytest.mark.needs("tftp", "curl")]

HOST = "127.0.0.1"
BIG = os.urandom(300_000)
Command = list[str | os.PathLike[str]]
EVEN = os.urandom(512 * 8)


@dataclass
class Bed:
    """A server on a port of its own on loopback, and what it recorded."""

    server: TftpServer
    events: list[Event]
    tally: Tally
    one_port: bool = False

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    async def until(self, name: str) -> Event:
        """The first event of this name, waited for."""
        async with asyncio.timeout(30):
            while name not in self.names:
                await asyncio.sleep(0.02)
        return self.events[self.names.index(name)]


def nobody(address: IPv4Address) -> None:
    """No machine holds any address."""


async def made_soon(client: str) -> Held:
    await asyncio.sleep(0)
    return Held(f"made for {client}".encode())


async def refused_soon() -> Held:
    raise RefusedError("refused: this is for somebody else", ErrorCode.ACCESS_VIOLATION)


async def broken_soon() -> Held:
    raise UnavailableError("the disk is gone")


async def gone_soon() -> Held:
    raise FileNotFoundError(2, "No such file or directory", "kernel")


def soon(name: str, client: str) -> Coroutine[Any, Any, Held] | None:
    """Files that take a while, or do not come."""
    if name == "soon":
        return made_soon(client)
    return {"refused": refused_soon, "broken": broken_soon, "gone": gone_soon}.get(name, lambda: None)()


def server_for(
    record: Callable[[Event], None],
    *,
    port: int = 0,
    one_port: Callable[[], bool] = lambda: False,
    tally: Tally | None = None,
) -> TftpServer:
    table = Table(
        {"big.bin": BIG, "even.bin": EVEN, "empty": b"", **read_loaders()},
        {"autoexec.ipxe": lambda client: f"#!ipxe\n# {client}\n".encode()},
        soon,
    )
    return TftpServer(
        address=IPv4Address(HOST),
        port=port,
        table=table,
        snapshot=demo,
        mac_of={IPv4Address(HOST): MacAddress(MAC)}.get,
        record=record,
        tally=tally or Tally(),
        one_port=one_port,
    )


@pytest.fixture(params=[False, True], ids=["a port for each transfer", "one port"])
async def bed(request: pytest.FixtureRequest) -> AsyncIterator[Bed]:
    events: list[Event] = []
    tally = Tally()
    server = server_for(events.append, one_port=lambda: request.param, tally=tally)
    await server.start()
    yield Bed(server, events, tally, request.param)
    await server.close()


@pytest.mark.parametrize("name", ["snponly.efi", "undionly.kpxe", "even.bin", "big.bin"])
async def test_tftpy_fetches_what_the_table_holds(bed: Bed, tmp_path: Path, name: str) -> None:
    client = TftpClient(HOST, bed.server.port, {"blksize": 1400, "tsize": 0})
    target = tmp_path / name

    await asyncio.to_thread(client.download, name, str(target), timeout=5)

    event = await bed.until("loader.sent")
    assert target.read_bytes() == {**read_loaders(), "even.bin": EVEN, "big.bin": BIG}[name]
    assert (event.bytes, event.node, event.mac, event.address) == (target.stat().st_size, "n001", MAC, HOST)
    assert event.seconds is not None
    assert event.seconds > 0
    assert list(bed.tally) == [("tftp_bytes", "", target.stat().st_size), ("tftp_transfers", "done", 1)]


@pytest.mark.parametrize(("name", "content"), [("big.bin", BIG), ("even.bin", EVEN), ("empty", b"")])
async def test_tftp_hpa_fetches_without_options(bed: Bed, tmp_path: Path, name: str, content: bytes) -> None:
    target = tmp_path / name
    command = ["tftp", "-m", "binary", HOST, str(bed.server.port), "-c", "get", name, str(target)]

    await asyncio.to_thread(run, command, timeout=60)

    assert target.read_bytes() == content


@pytest.mark.parametrize("size", [8, 512, 1468, 9000])
async def test_curl_fetches_with_every_block_size(bed: Bed, tmp_path: Path, size: int) -> None:
    target, name = tmp_path / "out", "even.bin" if size == 8 else "big.bin"
    url = f"tftp://{HOST}:{bed.server.port}//{name}"

    await asyncio.to_thread(run, ["curl", "-sS", "--tftp-blksize", str(size), "-o", target, url], timeout=60)

    assert target.read_bytes() == (EVEN if size == 8 else BIG)


async def test_curl_fetches_what_is_made_for_its_address(bed: Bed) -> None:
    url = f"tftp://{HOST}:{bed.server.port}/autoexec.ipxe"

    assert await asyncio.to_thread(run, ["curl", "-sS", url], timeout=60) == f"#!ipxe\n# {HOST}\n"


async def test_what_takes_a_while_to_make_comes_when_it_is_made(bed: Bed) -> None:
    url = f"tftp://{HOST}:{bed.server.port}/soon"

    assert await asyncio.to_thread(run, ["curl", "-sS", url], timeout=60) == f"made for {HOST}"
    assert (await bed.until("loader.sent")).message == "soon sent"


class RawClient:
    """A reader on a bare socket, which loses packets as it is told."""

    def __init__(self, port: int, *, loss: float = 0.0, patience: float = 30.0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(patience)
        self._port = port
        self._random = Random(7)
        self._loss = loss

    def request(self, name: str, *options: str, opcode: int = 1, mode: str = "octet") -> None:
        words = [name, mode, *options]
        data = opcode.to_bytes(2, "big") + b"".join(word.encode() + b"\0" for word in words)
        self.socket.sendto(data, (HOST, self._port))

    def receive(self) -> tuple[int, int, bytes, tuple[str, int]]:
        """Opcode, block or error code, the rest, and the sender of the next packet that is not lost."""
        for _ in range(1000):
            data, sender = self.socket.recvfrom(2048)
            if self._random.random() >= self._loss:
                return data[1], int.from_bytes(data[2:4], "big"), data[4:], sender
        raise AssertionError("a thousand packets lost")

    def acknowledge(self, block: int, sender: tuple[str, int]) -> None:
        self.socket.sendto(b"\x00\x04" + block.to_bytes(2, "big"), sender)

    def fetch(self, name: str, size: int, window: int) -> bytes:
        """Fetch with RFC 7440 windows: acknowledge a full window, a gap, or the end."""
        self.request(name, "blksize", str(size), "windowsize", str(window))
        content, expected, in_window = b"", 0, 0
        for _ in range(20_000):
            opcode, block, rest, sender = self.receive()
            if opcode == 6 or (opcode == 3 and block != expected % 65536):
                expected, in_window = max(expected, 1), 0
                self.acknowledge((expected - 1) % 65536, sender)
                continue
            content, expected, in_window = content + rest, expected + 1, in_window + 1
            if in_window == window or len(rest) < size:
                in_window = 0
                self.acknowledge(block, sender)
            if len(rest) < size:
                return content
        raise AssertionError("twenty thousand packets and no end")


@pytest.fixture
def raw(bed: Bed) -> Iterator[RawClient]:
    client = RawClient(bed.server.port)
    with client.socket:
        yield client


async def test_a_window_of_blocks_is_sent_without_waiting(bed: Bed, raw: RawClient) -> None:
    assert await asyncio.to_thread(raw.fetch, "big.bin", 1468, 16) == BIG


async def test_a_client_that_loses_packets_gets_the_file(bed: Bed) -> None:
    client = RawClient(bed.server.port, loss=0.02)
    with client.socket:
        assert await asyncio.to_thread(client.fetch, "big.bin", 1468, 8) == BIG


async def test_block_numbers_wrap_in_a_large_file() -> None:
    events: list[Event] = []
    large = os.urandom(8 * 65_600)
    server = TftpServer(
        address=IPv4Address(HOST),
        port=0,
        table=Table({"large": large}),
        snapshot=demo,
        mac_of=nobody,
        record=events.append,
        tally=Tally(),
    )
    await server.start()
    client = RawClient(server.port)
    with client.socket:
        assert await asyncio.to_thread(_fetch_many, client) == large
    await server.close()


def _fetch_many(client: RawClient) -> bytes:
    client.request("large", "blksize", "8", "windowsize", "32")
    content, expected = bytearray(), 0
    for _ in range(200_000):
        opcode, block, rest, sender = client.receive()
        if opcode == 6:
            expected = 1
            client.acknowledge(0, sender)
        elif block == expected % 65536:
            content += rest
            if expected % 32 == 0 or len(rest) < 8:
                client.acknowledge(block, sender)
            expected += 1
            if len(rest) < 8:
                return bytes(content)
    raise AssertionError("no end")


@pytest.mark.parametrize("abort", [True, False], ids=["it says so", "the word gets lost"])
async def test_a_client_that_only_asks_for_the_size_is_no_failure(bed: Bed, raw: RawClient, abort: bool) -> None:
    raw.request("snponly.efi", "tsize", "0")
    opcode, _, _, sender = await asyncio.to_thread(raw.receive)
    if abort:
        raw.socket.sendto(b"\x00\x05\x00\x08User aborted the transfer\x00", sender)
    content = await asyncio.to_thread(raw.fetch, "snponly.efi", 1468, 4)

    assert opcode == 6
    assert content == read_loaders()["snponly.efi"]
    await bed.until("loader.sent")
    assert bed.names == ["loader.sent"]
    assert bed.tally.count("tftp_transfers", "declined") == 1


async def test_a_port_that_asks_for_two_files_at_once_has_one_transfer(bed: Bed, raw: RawClient) -> None:
    raw.request("soon")
    raw.request("even.bin")

    for number in range(1, 10):
        _, block, rest, sender = await asyncio.to_thread(raw.receive)
        raw.acknowledge(block, sender)
        assert (block, rest) == (number, EVEN[(number - 1) * 512 : number * 512])
    await bed.until("loader.sent")
    assert not bed.server.under_way


async def test_data_comes_from_the_port_that_the_site_wants(bed: Bed, raw: RawClient) -> None:
    raw.request("even.bin")

    _, _, _, sender = await asyncio.to_thread(raw.receive)

    assert (sender[1] == bed.server.port) is bed.one_port


async def test_the_port_may_change_from_one_transfer_to_the_next() -> None:
    wanted = [False]
    server = server_for(lambda _event: None, one_port=lambda: wanted[0])
    await server.start()
    ports = []
    for wanted[0] in (False, True, False):
        client = RawClient(server.port)
        with client.socket:
            client.request("even.bin")
            ports.append((await asyncio.to_thread(client.receive))[3][1])
    await server.close()

    assert [port == server.port for port in ports] == [False, True, False]


async def test_a_request_that_is_repeated_is_answered_again_but_not_for_ever(bed: Bed, raw: RawClient) -> None:
    for _ in range(MAX_UNHEARD + 3):
        raw.request("even.bin", "tsize", "0")
    event = await bed.until("loader.unheard")

    assert event.message.startswith("even.bin: the client never answered the first packet")
    assert ("one_port" in event.message) is not bed.one_port


async def test_a_client_that_breaks_off_half_way_is_a_failure_with_what_it_got(bed: Bed, raw: RawClient) -> None:
    raw.request("big.bin")
    _, block, _, sender = await asyncio.to_thread(raw.receive)
    raw.acknowledge(block, sender)
    await asyncio.to_thread(raw.receive)
    raw.socket.sendto(b"\x00\x05\x00\x03disk full\x00", sender)

    event = await bed.until("loader.failed")
    assert (event.level, event.bytes) == (Level.WARNING, 512)
    assert event.message == "big.bin: the client broke off: disk full (error 3)"


async def test_a_block_is_repeated_to_a_silent_client(bed: Bed, raw: RawClient) -> None:
    raw.request("even.bin")

    first, second = await asyncio.to_thread(raw.receive), await asyncio.to_thread(raw.receive)

    assert first == second


@pytest.mark.parametrize(
    ("opcode", "name", "mode", "code", "event"),
    [
        (1, "../../etc/passwd", "octet", 1, "loader.missing"),
        (2, "snponly.efi", "octet", 2, "loader.refused"),
        (1, "snponly.efi", "netascii", 4, "loader.refused"),
        (1, "sn\xffponly", "octet", 4, "loader.malformed"),
        (1, "broken", "octet", 0, "loader.failed"),
        (1, "gone", "octet", 0, "loader.failed"),
    ],
    ids=[
        "a file that does not exist",
        "a write request",
        "another mode",
        "bytes that are not ASCII",
        "what cannot be made",
        "what is not on the disk any more",
    ],
)
async def test_what_is_not_served_is_refused_with_the_rfcs_code(
    bed: Bed, raw: RawClient, opcode: int, name: str, mode: str, code: int, event: str
) -> None:
    raw.request(name, opcode=opcode, mode=mode)

    assert (await asyncio.to_thread(raw.receive))[:2] == (5, code)
    assert bed.names == [event]


@pytest.mark.parametrize(
    ("name", "code"),
    [("refused", 2), ("grub/x86_64-efi/fs.lst", 1), ("revocations_sku.efi", 1), ("shim_certificate_0.efi", 1)],
)
async def test_a_refusal_that_is_recorded_elsewhere_and_what_nobody_needs_are_no_events(
    bed: Bed, raw: RawClient, name: str, code: int
) -> None:
    raw.request(name)

    assert (await asyncio.to_thread(raw.receive))[:2] == (5, code)
    assert bed.names == []


async def test_a_flood_of_requests_is_bounded_in_answers_and_events(bed: Bed, raw: RawClient) -> None:
    began = int(time.monotonic())
    for _ in range(1000):
        raw.request("nothing")
    async with asyncio.timeout(30):
        while sum(count for family, _, count in bed.tally if family == "tftp_transfers") < 1000:
            await asyncio.sleep(0.02)

    # So many in each second of the clock, of which a flood may begin and end in the middle.
    seconds = int(time.monotonic()) - began + 1
    assert MAX_ANSWERS <= bed.tally.count("tftp_transfers", "refused") <= seconds * MAX_ANSWERS
    assert set(bed.names) == {"loader.missing"}
    assert MAX_WARNINGS <= len(bed.events) <= seconds * MAX_WARNINGS
    async with asyncio.timeout(30):
        while bed.names[-1] != "loader.sent":
            client = RawClient(bed.server.port, patience=0.3)
            with client.socket, suppress(TimeoutError):
                await asyncio.to_thread(client.fetch, "empty", 512, 1)


async def test_garbage_is_counted_and_gets_no_answer(bed: Bed, raw: RawClient) -> None:
    for data in (b"", b"x", b"\x00\x07\x00\x00", b"\xff" * 600, b"\x00\x03\x00\x01data"):
        raw.socket.sendto(data, (HOST, bed.server.port))
    raw.socket.sendto(b"\x00\x05\x00\x00late\x00", (HOST, bed.server.port))

    assert await asyncio.to_thread(raw.fetch, "even.bin", 512, 1) == EVEN
    assert bed.tally.count("tftp_transfers", "malformed") == 5
    assert (await bed.until("loader.sent")).level is Level.INFO
    assert bed.names == ["loader.sent"]


async def test_many_clients_are_served_at_once() -> None:
    events: list[Event] = []
    server = server_for(events.append)
    await server.start()
    clients = [RawClient(server.port) for _ in range(MAX_SESSIONS_PER_CLIENT)]
    try:
        contents = await asyncio.gather(
            *(asyncio.to_thread(client.fetch, "big.bin", 1468, 4) for client in clients)
        )
    finally:
        for client in clients:
            client.socket.close()
        await server.close()

    assert contents == [BIG] * len(clients)


async def test_the_node_is_found_by_its_own_address_too() -> None:
    events: list[Event] = []
    site = snapshot(node("n009", interface("eth0", "127.0.0.1/24", mac="52:54:00:00:00:09")))
    server = TftpServer(
        address=IPv4Address(HOST),
        port=0,
        table=Table({"f": b"x"}),
        snapshot=lambda: site,
        mac_of=nobody,
        record=events.append,
        tally=Tally(),
    )
    await server.start()
    client = RawClient(server.port)
    with client.socket:
        assert await asyncio.to_thread(client.fetch, "f", 512, 1) == b"x"
    await Bed(server, events, Tally()).until("loader.sent")
    await server.close()

    assert [(event.node, event.mac) for event in events] == [("n009", "52:54:00:00:00:09")]


async def test_a_port_that_is_taken_is_an_error_that_names_it(bed: Bed) -> None:
    other = server_for(bed.events.append, port=bed.server.port)

    with pytest.raises(UnavailableError, match=f"{HOST}:{bed.server.port}"):
        await other.start()
    await other.close()


async def test_closing_ends_transfers_and_may_be_repeated(bed: Bed, raw: RawClient) -> None:
    raw.request("big.bin")
    await asyncio.to_thread(raw.receive)

    await bed.server.close()
    await bed.server.close()

    assert [event.message for event in bed.events] == ["big.bin: the server stops"]


async def test_ipv6_clients_are_served_in_frames_that_fit(tmp_path: Path) -> None:
    events: list[Event] = []
    server = TftpServer(
        address=IPv6Address("::1"),
        port=0,
        table=Table({"big.bin": BIG}),
        snapshot=demo,
        mac_of=nobody,
        record=events.append,
        tally=Tally(),
    )
    await server.start()
    target = tmp_path / "out"
    command: Command = [
        "curl",
        "-sS",
        "--tftp-blksize",
        "1468",
        "-o",
        target,
        f"tftp://[::1]:{server.port}/big.bin",
    ]
    await asyncio.to_thread(run, command, timeout=60)
    event = await Bed(server, events, Tally()).until("loader.sent")
    await server.close()

    assert target.read_bytes() == BIG
    assert event.address == "::1"


async def test_busybox_fetches_with_its_options(bed: Bed, tmp_path: Path) -> None:
    target = tmp_path / "out"
    command: Command = [
        "busybox",
        "tftp",
        "-g",
        "-b",
        "1468",
        "-l",
        target,
        "-r",
        "big.bin",
        HOST,
        str(bed.server.port),
    ]

    await asyncio.to_thread(run, command, timeout=60)

    assert target.read_bytes() == BIG
