"""TFTP packets to bytes and back, by the packet types of tftpy.

tftpy's decoders raise whatever Python raises on bytes that they do not expect, walk a request byte by byte, and
log every error packet as an error, although each OVMF boot sends one on purpose: hence the size limit, the one
place that turns exceptions into ProtocolError, and our own reading of error packets.
"""

from __future__ import annotations

import struct

from tftpy.TftpPacketFactory import TftpPacketFactory
from tftpy.TftpPacketTypes import (
    TftpPacketACK,
    TftpPacketDAT,
    TftpPacketERR,
    TftpPacketOACK,
    TftpPacketRRQ,
    TftpPacketWRQ,
)
from tftpy.TftpShared import TftpException

from provisioner.errors import ProtocolError
from provisioner.tftp.packet import (
    Acknowledge,
    Data,
    Failure,
    OptionAcknowledge,
    ReadRequest,
    WriteRequest,
)

MAX_REQUEST = 512
"""The largest request in octets (RFC 2347); no packet that a client sends to this server is longer."""

_ERROR_OPCODE = b"\x00\x05"


def decode(data: bytes) -> ReadRequest | WriteRequest | Acknowledge | Failure:
    """The packet in a datagram that a client sent; ProtocolError for anything else."""
    if not 4 <= len(data) <= MAX_REQUEST:
        raise ProtocolError(f"{len(data)} octets; a TFTP client sends 4 to {MAX_REQUEST}")
    if data[:2] == _ERROR_OPCODE:
        return Failure(int.from_bytes(data[2:4], "big"), data[4:].partition(b"\0")[0].decode("ascii", "replace"))
    try:
        parsed = TftpPacketFactory().parse(data)
    except (TftpException, struct.error, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a TFTP packet: {error}") from None
    return _ours(parsed)


def encode(packet: Data | OptionAcknowledge | Failure) -> bytes:
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


def _theirs(packet: Data | OptionAcknowledge | Failure) -> TftpPacketDAT | TftpPacketOACK | TftpPacketERR:
    match packet:
        case Data(block, content):
            data = TftpPacketDAT()
            data.blocknumber, data.data = block, content
            return data
        case OptionAcknowledge(options):
            granted = TftpPacketOACK()
            granted.options = dict(options)
            return granted
        case Failure(code, message):
            failure = TftpPacketERR()
            # The class knows one text a code; this instance says what really happened.
            failure.errorcode, failure.errmsgs = code, {code: message.encode("ascii", "replace")}
            return failure
