"""TFTP packets to bytes and back, by the packet types of tftpy.

tftpy's decoders raise whatever Python raises on bytes that they do not expect, walk a request byte by byte, and
log every error packet as an error, although each OVMF boot sends one on purpose: hence the size limit, the one
place that turns exceptions into ProtocolError, and our own reading of error packets. Blocks and their
acknowledgements are our own too: they come by the hundred thousand, and are four octets of header.
"""

from __future__ import annotations

import struct

from tftpy.TftpPacketFactory import TftpPacketFactory
from tftpy.TftpPacketTypes import TftpPacketACK, TftpPacketERR, TftpPacketOACK, TftpPacketRRQ, TftpPacketWRQ
from tftpy.TftpShared import TftpException

from provisioner.errors import ProtocolError
from provisioner.tftp.packet import Acknowledge, Failure, OptionAcknowledge, ReadRequest, WriteRequest

MAX_REQUEST = 512
"""The largest request in octets (RFC 2347); no packet that a client sends to this server is longer."""

HEADER = 4
"""Octets before the data of a block."""

REQUESTS = (b"\x00\x01", b"\x00\x02")
"""How datagrams begin that ask for something, in whatever words."""

_ACKNOWLEDGE = b"\x00\x04"
_ERROR = b"\x00\x05"
ENDINGS = (_ACKNOWLEDGE, _ERROR)
"""How datagrams begin that may come late, when their transfer is over."""

_DATA = 3
_header = struct.Struct("!HH").pack


def acknowledged(data: bytes) -> int | None:
    """The block that a datagram acknowledges; None for any other packet."""
    if data[:2] == _ACKNOWLEDGE and len(data) >= HEADER:
        return data[2] << 8 | data[3]
    return None


def blocks(content: memoryview, size: int, numbers: range) -> bytes:
    """The packets of these blocks of `size` octets, laid end to end; the first block of a content is 1.

    On the wire the number wraps to 0 after 65,535.
    """
    if len(numbers) == 1:
        number = numbers.start
        return _header(_DATA, number & 0xFFFF) + content[(number - 1) * size : number * size]
    parts: list[bytes | memoryview] = []
    for number in numbers:
        parts += (_header(_DATA, number & 0xFFFF), content[(number - 1) * size : number * size])
    return b"".join(parts)


def decode(data: bytes) -> ReadRequest | WriteRequest | Acknowledge | Failure:
    """The packet in a datagram that a client sent; ProtocolError for anything else."""
    if not HEADER <= len(data) <= MAX_REQUEST:
        raise ProtocolError(f"{len(data)} octets; a TFTP client sends {HEADER} to {MAX_REQUEST}")
    if data[:2] == _ERROR:
        return Failure(int.from_bytes(data[2:4], "big"), data[4:].partition(b"\0")[0].decode("ascii", "replace"))
    try:
        parsed = TftpPacketFactory().parse(data)
    except (TftpException, struct.error, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a TFTP packet: {error}") from None
    return _ours(parsed)


def encode(packet: OptionAcknowledge | Failure) -> bytes:
    """The datagram of a packet that a server sends."""
    theirs = _theirs(packet)
    theirs.encode()
    buffer: bytes = theirs.buffer
    return buffer


def _ours(parsed: object) -> ReadRequest | WriteRequest | Acknowledge:
    match parsed:
        case TftpPacketACK():
            return Acknowledge(parsed.blocknumber)
        case TftpPacketRRQ():
            options = {name.lower(): value for name, value in parsed.options.items()}
            return ReadRequest(parsed.filename, parsed.mode, options)
        case TftpPacketWRQ():
            return WriteRequest(parsed.filename)
        case _:
            raise ProtocolError(f"{type(parsed).__name__} is a packet that no reading client sends")


def _theirs(packet: OptionAcknowledge | Failure) -> TftpPacketOACK | TftpPacketERR:
    match packet:
        case OptionAcknowledge(options):
            granted = TftpPacketOACK()
            granted.options = dict(options)
            return granted
        case Failure(code, message):
            failure = TftpPacketERR()
            # The class knows one text a code; this instance says what really happened.
            failure.errorcode, failure.errmsgs = code, {code: message.encode("ascii", "replace")}
            return failure
