"""The NBD server: one socket on one address, and who is connected. It decides nothing (see `desk`, `policy`)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from provisioner.boot.access import Denied
from provisioner.errors import IntegrityError, ProtocolError, UnavailableError
from provisioner.model.address import Address
from provisioner.model.event import Level
from provisioner.nbd.desk import Desk, NbdSite, Opened
from provisioner.nbd.export import Export
from provisioner.nbd.session import Limits, Session

logger = logging.getLogger(__name__)

# A room full of machines connects within a second.
_BACKLOG = 4096
_THREADS = 8
_LOOK = 30.0
# A machine that lost its power says nothing: after a minute of silence it is asked, six times, ten seconds apart.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6))

_DEFAULT_LIMITS = Limits()


@dataclass
class _Client:
    """A connection that reads, and what it reads."""

    opened: Opened
    session: Session
    writer: asyncio.StreamWriter
    remote: str


class NbdServer:
    """Serves the roots of boots on one address."""

    def __init__(self, site: NbdSite, *, address: Address, port: int, limits: Limits = _DEFAULT_LIMITS) -> None:
        self._desk = Desk(site)
        self._site = site
        self._address = address
        self._port = port
        self._limits = limits
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="nbd")
        self._writers: set[asyncio.StreamWriter] = set()
        self._unproven: Counter[str] = Counter()
        self._clients: dict[str, _Client] = {}
        self._server: asyncio.Server | None = None
        self._looking: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def port(self) -> int:
        """The port, known after `start` where 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Listen. UnavailableError when address and port cannot be had."""
        try:
            self._server = await asyncio.start_server(
                self._serve, str(self._address), self._port, backlog=_BACKLOG, reuse_address=True
            )
        except OSError as error:
            hint = f"see who listens: ss -ltnp 'sport = :{self._port}'; or set ports.nbd"
            message = f"NBD cannot listen on {self._address} port {self._port}"
            raise UnavailableError(message, hint=hint) from error
        self._port = self._server.sockets[0].getsockname()[1]
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Stop listening and hang up: clients come back to the next daemon. Closing twice is no error."""
        self._closing = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        # What was aborted ends in its own task, which gives its files back.
        while self._writers:
            await asyncio.sleep(0)
        self._threads.shutdown(wait=False)

    async def _look(self) -> None:
        """Hang up on machines that have booted again since: what they read is nobody's any more."""
        while True:
            await asyncio.sleep(_LOOK)
            for client in list(self._clients.values()):
                if self._desk.is_over(client.opened.record):
                    client.writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        remote = peer[0] if peer else ""
        full = len(self._writers) >= self._limits.connections
        if not peer or full or self._closing or self._unproven[remote] >= self._limits.unproven:
            writer.transport.abort()
            return
        self._writers.add(writer)
        _set_keepalive(writer)
        session = Session(reader, writer, threads=self._threads, limits=self._limits, count=self._count)
        try:
            opened = await self._negotiated(session, remote)
            if opened is not None:
                await self._read(_Client(opened, session, writer, remote))
        except (ProtocolError, asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            logger.debug("nbd: %s: %s", remote, error)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _negotiated(self, session: Session, remote: str) -> Opened | None:
        """What the client will read. Until it has shown a token it is one of few from its address."""
        found: list[Opened] = []

        def open_(name: str) -> Export | Denied:
            try:
                opened = self._desk.open(name, remote)
            except IntegrityError as error:
                logger.error("nbd: %s: %s", remote, error.message)  # noqa: TRY400 - the reason says it all
                return Denied(error.message)
            if isinstance(opened, Denied):
                return opened
            found.append(opened)
            return opened.export

        self._unproven[remote] += 1
        try:
            async with asyncio.timeout(self._limits.negotiation_seconds):
                chosen = await session.negotiate(open_)
        except BaseException:
            for each in found:
                each.export.close()
            raise
        finally:
            self._unproven -= Counter((remote,))
        return found[-1] if chosen is not None else None

    async def _read(self, client: _Client) -> None:
        """One connection a boot: where a second comes, the first one's network is gone."""
        opened, started = client.opened, asyncio.get_running_loop().time()
        earlier = self._clients.get(opened.record.id)
        self._clients[opened.record.id] = client
        if earlier is not None:
            earlier.writer.transport.abort()
        self._tell(client, "stream.opened", f"the root of {opened.record.generation} is read block by block")
        lost: Exception | None = None
        try:
            await client.session.serve(opened.export)
        except (ProtocolError, asyncio.IncompleteReadError, TimeoutError, OSError) as error:
            lost = error
        finally:
            opened.export.close()
            if self._clients.get(opened.record.id) is client:
                del self._clients[opened.record.id]
            self._ended(client, lost, asyncio.get_running_loop().time() - started)

    def _ended(self, client: _Client, lost: Exception | None, seconds: float) -> None:
        if self._closing:
            return
        if lost is None:
            message, name, level = "the node reads no more", "stream.closed", Level.INFO
        else:
            message, name, level = "the connection is gone; the node comes back", "stream.lost", Level.WARNING
            if isinstance(lost, ProtocolError):
                message = lost.message
        self._tell(client, name, message, level=level, seconds=seconds)

    def _tell(
        self, client: _Client, name: str, message: str, *, level: Level = Level.INFO, seconds: float | None = None
    ) -> None:
        size = client.session.sent if seconds is not None else None
        self._desk.tell(
            name, message, client.opened.record, client.remote, level=level, size=size, seconds=seconds
        )

    def _count(self, what: str, amount: int) -> None:
        self._site.tally.add("nbd_requests", what)
        if amount:
            self._site.tally.add("nbd_bytes", "", amount)


def _set_keepalive(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
