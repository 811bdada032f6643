"""One line about one packet: what it says, and what the policy says about it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

from provisioner.dhcp import codec as dhcp_codec
from provisioner.dhcp.client import client_of
from provisioner.dhcp.message import NO_ADDRESS, Message, Op, Option
from provisioner.dns import codec as dns_codec
from provisioner.dns.message import Code, Kind
from provisioner.errors import ProtocolError
from provisioner.model.written import Ports
from provisioner.operations.capture.frame import Packet, Protocol
from provisioner.operations.capture.masks import short_tokens
from provisioner.tftp import codec as tftp_codec
from provisioner.tftp.packet import Failure, ReadRequest, WriteRequest

_DHCP_PORTS = frozenset({67, 68, 4011})
_TFTP_DATA, _TFTP_ACK, _TFTP_ERROR, _TFTP_GRANT = 3, 4, 5, 6
_REPLY_BIT = 0x8000
_LONGEST = 200

DhcpJudge = Callable[[Message], str]
NameJudge = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Said:
    """What a packet says: the service, one line, and what the policy answers to it; empty to what asks nothing."""

    service: str
    text: str
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Judges:
    """What the policies of the site say: of a DHCP message, of a file's name by TFTP, and of a path by HTTP."""

    dhcp: DhcpJudge
    tftp: NameJudge
    http: NameJudge


class Reader:
    """Reads the packets of one machine in their order; it remembers the ports of TFTP transfers."""

    def __init__(self, ports: Ports, judges: Judges) -> None:
        self._ports = ports
        self._judges = judges
        self._transfers: set[int] = set()

    def read(self, packet: Packet) -> Said | None:
        """What a packet says; None for one that says nothing to people, such as data under way."""
        ports = {packet.source[1], packet.target[1]}
        if packet.protocol is Protocol.TCP:
            return self._http(packet) if self._ports.http in ports else None
        if ports & (_DHCP_PORTS | {self._ports.dhcp}):
            return self._dhcp(packet.payload)
        if self._ports.dns in ports:
            return _dns(packet.payload)
        if self._ports.tftp in ports or ports & self._transfers:
            return self._tftp(packet)
        return None

    def _dhcp(self, payload: bytes) -> Said:
        try:
            message = dhcp_codec.decode(payload)
        except ProtocolError as error:
            return Said("dhcp", f"not a DHCP message: {error.message}")
        kind = message.kind.name if message.kind else "BOOTP"
        if message.op is Op.REPLY:
            return Said("dhcp", f"{kind} {_offered(message)}")
        relay = "" if message.giaddr == NO_ADDRESS else f", relayed by {message.giaddr}"
        return Said("dhcp", f"{kind} {_asked(message)}{relay}", self._judges.dhcp(message))

    def _http(self, packet: Packet) -> Said | None:
        said = _http(packet.payload)
        words = packet.payload.split(b" ", 2)
        # What is sent to us may be anything, an answer too.
        if said is None or packet.target[1] != self._ports.http or len(words) < 2:
            return said
        return replace(said, policy=self._judges.http(words[1].decode("ascii", "replace")))

    def _tftp(self, packet: Packet) -> Said | None:
        (code,) = struct.unpack_from("!H", packet.payload) if len(packet.payload) > 1 else (0,)
        if code in {_TFTP_DATA, _TFTP_ACK}:
            return None
        if code == _TFTP_GRANT:
            words = packet.payload[2:].decode("ascii", "replace").rstrip("\0").replace("\0", " ")
            return Said("tftp", f"options granted: {words}")
        try:
            asked = tftp_codec.decode(packet.payload)
        except ProtocolError as error:
            return Said("tftp", f"not a TFTP packet: {error.message}")
        match asked:
            case ReadRequest(name, _, options):
                self._transfers.add(packet.source[1])
                words = " ".join(f"{key} {value}" for key, value in options.items())
                return Said("tftp", f"wants {name[:_LONGEST]} {words}".rstrip(), self._judges.tftp(name))
            case WriteRequest(name):
                return Said("tftp", f"wants to write {name[:_LONGEST]}", "refused: nobody may write")
            case Failure(number, message):
                return Said("tftp", f"error {number}: {message[:_LONGEST]}")
            case _:
                return None


def _asked(message: Message) -> str:
    client = client_of(message)
    wanted = message.address(Option.REQUESTED_ADDRESS)
    server = message.address(Option.SERVER)
    parts = [
        f"from {client.program.value}",
        client.machine.firmware.value,
        f"for {wanted}" if wanted else "",
        f"of the server {server}" if server else "",
    ]
    return " ".join(filter(None, parts))


def _offered(message: Message) -> str:
    server = message.address(Option.SERVER)
    file = message.file or message.options.get(67, b"")
    parts = [
        f"{message.yiaddr}" if message.yiaddr != NO_ADDRESS else "",
        f"from {server}" if server else "",
        f"next server {message.siaddr}" if message.siaddr != NO_ADDRESS else "",
        f"file {file.decode('ascii', 'replace')}" if file else "",
        message.options.get(Option.TEXT, b"").decode("utf-8", "replace"),
    ]
    return " ".join(filter(None, parts))


def _dns(payload: bytes) -> Said | None:
    if len(payload) < 12:
        return None
    number, flags, _, answers = struct.unpack_from("!HHHH", payload)
    if flags & _REPLY_BIT:
        code = flags & 0x0F
        word = Code(code).word if code in set(Code) else f"code {code}"
        return Said("dns", f"reply {number:04x}: {word}, {answers} answers")
    try:
        query = dns_codec.decode(payload)
    except ProtocolError as error:
        return Said("dns", f"not a DNS query: {error.message}")
    kind = query.question.kind
    word = Kind(kind).name if kind in set(Kind) else f"type {kind}"
    return Said("dns", f"query {number:04x}: {word} {query.question.name}")


def _http(payload: bytes) -> Said | None:
    """The first line of a request or an answer; of a refusal the reason too."""
    if not payload[:12].strip() or not payload[:8].isascii():
        return None
    head, _, body = payload.partition(b"\r\n\r\n")
    first, *rest = head.decode("ascii", "replace").split("\r\n")
    if first.startswith("HTTP/1."):
        status = first.partition(" ")[2]
        length = next(
            (each.partition(":")[2].strip() for each in rest if each.lower().startswith("content-length:")), ""
        )
        size = f", {length} bytes" if length else ""
        reason = body.decode("utf-8", "replace").partition("\n")[0] if status[:1] in {"4", "5"} else ""
        return Said("http", short_tokens(f"{status}{size}{': ' + reason if reason else ''}")[:_LONGEST])
    if " HTTP/1." not in first:
        return None
    extent = next((each for each in rest if each.lower().startswith("range:")), "")
    return Said("http", short_tokens(f"{first.rpartition(' ')[0]} {extent}".rstrip())[:_LONGEST])
