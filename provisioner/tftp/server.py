"""The TFTP server: takes requests on one address and gives each transfer a session of its own."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address
from typing import NamedTuple

from provisioner.errors import ProtocolError, ProvisionerError, UnavailableError
from provisioner.host.datagrams import waiting
from provisioner.model.address import Address, MacAddress
from provisioner.model.event import EventSink
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from provisioner.tftp.account import Account
from provisioner.tftp.codec import ENDINGS, MAX_REQUEST, REQUESTS, decode, encode
from provisioner.tftp.meter import Meter
from provisioner.tftp.options import max_block, negotiate
from provisioner.tftp.packet import ErrorCode, Failure, ReadRequest, WriteRequest
from provisioner.tftp.readers import Readers
from provisioner.tftp.session import End, Session
from provisioner.tftp.sessions import Sessions
from provisioner.tftp.table import OPTIONAL, Held, RefusedError, Table
from provisioner.tftp.transfer import Transfer
from provisioner.tftp.wheel import Wheel
from provisioner.tftp.wire import OwnPort, SharedPort, Source, Wire, family_of

MAX_SESSIONS = 16384
"""Transfers at once. A client beyond it hears nothing and asks again."""

MAX_SESSIONS_PER_CLIENT = 16
"""Transfers that one address may have at once."""

MAX_ANSWERS = 64
"""Requests of an address that are answered in a second before it is heard: forgers draw no more on it."""

MAX_COMING = 1024
"""Files that are being made at once: scripts, and what is behind tokens."""

_BUFFER = 4 << 20
_ALL_TAKEN = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRINUSE, errno.EAGAIN}

logger = logging.getLogger(__name__)


class _Asked(NamedTuple):
    """A read request, its datagram, and where it came in and from."""

    opened: socket.socket
    request: ReadRequest
    data: bytes
    source: Source


class TftpServer:
    """Serves a table on one address. `mac_of` knows the machines that hold addresses of a pool.

    `one_port` is asked at each request: whether the transfer goes over the port of the request too.
    """

    def __init__(
        self,
        *,
        address: Address,
        port: int = 69,
        table: Table,
        snapshot: Callable[[], Snapshot],
        mac_of: Callable[[IPv4Address], MacAddress | None],
        record: EventSink,
        tally: Tally,
        one_port: Callable[[], bool] = lambda: False,
    ) -> None:
        self._address = address
        self._port = port
        self._table = table
        self._one_port = one_port
        self._account = Account(snapshot, mac_of, record, tally)
        self._sessions = Sessions(MAX_SESSIONS, MAX_SESSIONS_PER_CLIENT)
        self._own_ports = _affordable_ports()
        self._coming: dict[Source, asyncio.Task[None]] = {}
        self._socket: socket.socket | None = None

    async def start(self) -> None:
        """Listen. UnavailableError when address and port cannot be had."""
        self._loop = asyncio.get_running_loop()
        self._wheel = Wheel(self._loop.call_later)
        self._answers: Meter[str] = Meter(MAX_ANSWERS, self._loop.time)
        self._socket = _listen(self._address, self._port)
        self._readers = Readers(self._loop)
        self._port = self._socket.getsockname()[1]
        self._loop.add_reader(self._socket, self._readable, self._socket)

    async def close(self) -> None:
        """Stop listening and end every transfer; closing twice is no error."""
        for coming in self._coming.values():
            coming.cancel()
        for session in self._sessions:
            session.close(End.FAILED, "the server stops")
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._readers.close()
            self._socket.close()
            self._socket = None

    @property
    def port(self) -> int:
        """The port, known after `start` where 0 was asked for."""
        return self._port

    @property
    def under_way(self) -> int:
        """How many transfers there are, half-open ones too."""
        return len(self._sessions)

    def _readable(self, opened: socket.socket) -> None:
        for data, source in waiting(opened, MAX_REQUEST + 1):
            self._receive(opened, data, source)

    def _receive(self, opened: socket.socket, data: bytes, source: Source) -> None:
        session, kind = self._sessions.get(source), data[:2]
        if kind not in REQUESTS:
            if session is not None:
                session.receive(data)
            elif kind not in ENDINGS:
                self._account.ignored("malformed")
            return
        if session is not None and self._goes_on(session, data):
            return
        if not self._answers.allows(source[0]):
            self._account.ignored("dropped")
            return
        self._answer(opened, data, source)

    def _goes_on(self, session: Session, request: bytes) -> bool:
        """Whether a request belongs to the transfer that its sender has already."""
        # Firmware that only asks for the size says so at the other port, which may be read later than this one.
        session.poll()
        if not session.open:
            return False
        if session.request == request and not session.transfer.heard:
            session.repeat()
            return True
        session.close(End.FAILED if session.transfer.progress else End.DECLINED, "the client started again")
        return False

    def _answer(self, opened: socket.socket, data: bytes, source: Source) -> None:
        try:
            packet = decode(data)
        except ProtocolError as error:
            self._refuse(source, ErrorCode.ILLEGAL, name="malformed", reason=error.message)
            return
        if isinstance(packet, WriteRequest):
            reason = f"{packet.name!r}: nobody stores files here"
            self._refuse(source, ErrorCode.ACCESS_VIOLATION, name="refused", reason=reason)
        elif isinstance(packet, ReadRequest):
            self._read(_Asked(opened, packet, data, source))

    def _read(self, asked: _Asked) -> None:
        name, source = asked.request.name, asked.source
        content = self._table.find(name, source[0])
        if asked.request.mode != "octet":
            reason = f"{name!r}: the mode {asked.request.mode!r} is not served, only octet (binary)"
            self._refuse(source, ErrorCode.ILLEGAL, name="refused", reason=reason)
        elif content is not None:
            self._begin(asked, Held(content))
        elif source in self._coming:
            # The client asks again for what is being made.
            return
        elif OPTIONAL.fullmatch(name.removeprefix("/")):
            self._answer_failure(source, ErrorCode.NOT_FOUND, "there is no such file")
            self._account.ignored("optional")
        elif len(self._coming) >= MAX_COMING or (coming := self._table.soon(name, source[0])) is None:
            self._refuse(source, ErrorCode.NOT_FOUND, name="missing", reason=f"there is no file {name!r}")
        else:
            self._coming[source] = self._loop.create_task(self._later(asked, coming))

    async def _later(self, asked: _Asked, coming: Awaitable[Held]) -> None:
        try:
            held = await coming
            # Its client may have asked for something else meanwhile, and gets that.
            if self._sessions.get(asked.source) is None:
                self._begin(asked, held)
        except RefusedError as error:
            # Whoever refused it has recorded it.
            self._answer_failure(asked.source, error.code, error.message)
        except (ProvisionerError, OSError) as error:
            # Its client is told no path of ours.
            why = error.strerror if isinstance(error, OSError) else error.message
            reason = f"{asked.request.name!r}: {why}"
            self._refuse(asked.source, ErrorCode.NOT_DEFINED, name="failed", reason=reason)
        finally:
            del self._coming[asked.source]

    def _begin(self, asked: _Asked, held: Held) -> None:
        wire = self._wire(asked.opened, asked.source)
        if wire is None:
            self._account.ignored("dropped")
            return
        size = len(held.content)
        transfer = Transfer(size, negotiate(asked.request.options, size, max_block(self._address)))
        done = partial(self._finish, asked, held)
        session = Session(held.content, transfer, wire, self._wheel, request=asked.data, done=done)
        self._sessions.add(asked.source, session)
        session.start()

    def _wire(self, opened: socket.socket, source: Source) -> Wire | None:
        if not self._sessions.make_room(source[0]):
            return None
        if self._one_port() or len(self._sessions) >= self._own_ports:
            return SharedPort(opened, source)
        try:
            return OwnPort(self._address, source, self._readers)
        except OSError as error:
            logger.debug("tftp: no socket for %s: %s", source[0], error)
            return SharedPort(opened, source) if error.errno in _ALL_TAKEN else None

    def _finish(self, asked: _Asked, held: Held, session: Session, end: End, reason: str) -> None:
        source = asked.source
        self._sessions.remove(source)
        if session.transfer.heard:
            self._answers.give_back(source[0])
        if end is End.UNHEARD and not self._one_port():
            reason += (
                "; where a firewall passes only the port of the request, set tftp: {one_port: true} in the network"
            )
        if held.sent is None:
            self._account.ended(source[0], asked.request.name, session, end, reason)
            return
        self._account.counted(session, end)
        if end in (End.DONE, End.FAILED, End.UNHEARD):
            held.sent(session.transfer.progress if end is End.DONE else None, session.seconds)

    def _refuse(self, source: Source, code: ErrorCode, *, name: str, reason: str) -> None:
        self._answer_failure(source, code, reason)
        self._account.refused(source[0], name, reason)

    def _answer_failure(self, source: Source, code: ErrorCode, reason: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto(encode(Failure(code, reason[:200])), source)


def _affordable_ports() -> int:
    """How many transfers may have a socket of their own: half of the open files are for everybody else."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_SESSIONS if most == resource.RLIM_INFINITY else min(MAX_SESSIONS, most // 2)


def _listen(address: Address, port: int) -> socket.socket:
    opened = socket.socket(family_of(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        opened.bind((str(address), port))
    except OSError as error:
        opened.close()
        hint = f"see who listens: ss -lunp 'sport = :{port}'"
        raise UnavailableError(f"TFTP cannot listen on {address}:{port}: {error.strerror}", hint=hint) from error
    return opened
