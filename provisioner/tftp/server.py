"""The TFTP server: takes requests on one address and gives each transfer a session of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address

from provisioner.errors import ProtocolError, UnavailableError
from provisioner.host.datagrams import waiting
from provisioner.model.address import MacAddress
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.tftp.codec import MAX_REQUEST, decode, encode
from provisioner.tftp.options import negotiate
from provisioner.tftp.packet import ErrorCode, Failure, ReadRequest, WriteRequest
from provisioner.tftp.session import Session
from provisioner.tftp.table import Table
from provisioner.tftp.transfer import Transfer

MAX_SESSIONS = 16384
"""Transfers at once; each takes a file descriptor. A client beyond it hears nothing and asks again."""

MAX_SESSIONS_PER_CLIENT = 16
"""Transfers, and refusals of the last second, that one address may have at once."""

_REFUSAL_SECONDS = 1.0
_RECEIVE_BUFFER = 4 << 20

logger = logging.getLogger(__name__)

Source = tuple[str, int]


class TftpServer:
    """Serves a table on one IPv4 address. `mac_of` knows the machines that hold addresses of a pool."""

    def __init__(
        self,
        *,
        address: IPv4Address,
        port: int = 69,
        table: Table,
        snapshot: Callable[[], Snapshot],
        mac_of: Callable[[IPv4Address], MacAddress | None],
        record: EventSink,
    ) -> None:
        self._address = address
        self._port = port
        self._table = table
        self._snapshot = snapshot
        self._mac_of = mac_of
        self._record = record
        self._sessions: dict[Source, Session] = {}
        self._busy: Counter[str] = Counter()
        self._socket: socket.socket | None = None

    async def start(self) -> None:
        """Listen. UnavailableError when address and port cannot be had."""
        self._socket = _listen(self._address, self._port)
        self._port = self._socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._socket, self._readable, self._socket)

    async def close(self) -> None:
        """Stop listening and end every transfer; closing twice is no error."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for session in list(self._sessions.values()):
            session.close("the server stops")

    @property
    def port(self) -> int:
        """The port, known after `start` where 0 was asked for."""
        return self._port

    def _readable(self, opened: socket.socket) -> None:
        for data, source in waiting(opened, MAX_REQUEST + 1):
            self._receive(data, source)

    def _receive(self, data: bytes, source: Source) -> None:
        if self._repeats(source) or not self._has_room(source[0]):
            return
        try:
            packet = decode(data)
        except ProtocolError as error:
            self._refuse(source, ErrorCode.ILLEGAL, name="malformed", reason=error.message)
            return
        match packet:
            case ReadRequest():
                self._read(packet, source)
            case WriteRequest(name):
                reason = f"{name!r}: nobody stores files here"
                self._refuse(source, ErrorCode.ACCESS_VIOLATION, name="refused", reason=reason)
            case _:
                # The end of a transfer that is over already.
                return

    def _read(self, request: ReadRequest, source: Source) -> None:
        if request.mode != "octet":
            reason = f"{request.name!r}: the mode {request.mode!r} is not served, only octet"
            self._refuse(source, ErrorCode.ILLEGAL, name="refused", reason=reason)
            return
        content = self._table.find(request.name, source[0])
        if content is None:
            self._refuse(source, ErrorCode.NOT_FOUND, name="missing", reason=f"there is no file {request.name!r}")
            return
        self._serve(request, content, source)

    def _serve(self, request: ReadRequest, content: bytes, source: Source) -> None:
        try:
            opened = _connect(self._address, source)
        except OSError as error:
            logger.warning("tftp: no socket for %s: %s", source[0], error.strerror)
            return
        transfer = Transfer(content, negotiate(request.options, len(content)))
        session = Session(opened, transfer, partial(self._finish, source, request.name))
        self._sessions[source] = session
        self._busy[source[0]] += 1
        session.start()

    def _finish(self, source: Source, file: str, session: Session, problem: str | None) -> None:
        del self._sessions[source]
        self._leave(source[0])
        if problem is None:
            self._tell(source[0], "sent", f"{file} sent", level=Level.INFO, session=session)
        elif session.declined:
            # OVMF and others ask for the size, break off and ask again: no failure.
            logger.debug("tftp: %s: %s: %s", source[0], file, problem)
        else:
            self._tell(source[0], "failed", f"{file}: {problem}", level=Level.WARNING, session=session)

    def _refuse(self, source: Source, code: ErrorCode, *, name: str, reason: str) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendto(encode(Failure(code, reason[:200])), source)
        # A refusal takes a place for a while, so that nobody can flood the events with them.
        self._busy[source[0]] += 1
        asyncio.get_running_loop().call_later(_REFUSAL_SECONDS, self._leave, source[0])
        self._tell(source[0], name, reason, level=Level.WARNING)

    def _repeats(self, source: Source) -> bool:
        # Before any progress the session repeats its answer itself; after it the client has started afresh.
        session = self._sessions.get(source)
        if session is not None and session.transfer.progress:
            session.close("the client started again")
        return source in self._sessions

    def _has_room(self, host: str) -> bool:
        room = len(self._sessions) < MAX_SESSIONS and len(self._busy) < MAX_SESSIONS
        return room and self._busy[host] < MAX_SESSIONS_PER_CLIENT

    def _leave(self, host: str) -> None:
        self._busy[host] -= 1
        if self._busy[host] <= 0:
            del self._busy[host]

    def _tell(self, host: str, name: str, message: str, *, level: Level, session: Session | None = None) -> None:
        node, mac = self._who(IPv4Address(host))
        event = Event(
            time=time.time(),
            stage=Stage.LOADER,
            name=f"loader.{name}",
            message=message,
            level=level,
            mac=mac,
            node=node.name if node else None,
            address=host,
            bytes=session.transfer.progress if session else None,
            seconds=session.seconds if session else None,
        )
        self._record(event)

    def _who(self, address: IPv4Address) -> tuple[ResolvedNode | None, MacAddress | None]:
        snapshot = self._snapshot()
        node = snapshot.by_address.get(address)
        if node is not None:
            owned = (each.mac for each in node.interfaces if each.ip and each.ip.ip == address)
            return node, next(owned, None)
        mac = self._mac_of(address)
        return (snapshot.by_mac.get(mac) if mac else None), mac


def _listen(address: IPv4Address, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        opened.bind((str(address), port))
    except OSError as error:
        opened.close()
        hint = f"see who listens: ss -lunp 'sport = :{port}'"
        raise UnavailableError(f"TFTP cannot listen on {address}:{port}: {error.strerror}", hint=hint) from error
    return opened


def _connect(address: IPv4Address, source: Source) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        opened.bind((str(address), 0))
        opened.connect(source)
    except OSError:
        opened.close()
        raise
    return opened
