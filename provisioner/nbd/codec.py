"""NBD's bytes and our values: fixed newstyle negotiation and simple replies (doc/proto.md of the NBD project).

Everything is big-endian. Nothing here trusts a length: who reads from a socket asks for the fixed parts first.
"""

from __future__ import annotations

import struct

from provisioner.errors import ProtocolError
from provisioner.nbd.message import Fault, Flag, OptionHeader, Reply, Request, Wish

CLIENT_FLAGS_SIZE = 4
OPTION_SIZE = 16
REQUEST_SIZE = 28

_GREETING = 0x4E42444D41474943
_OPTION = 0x49484156454F5054
_OPTION_REPLY = 0x3E889045565A9
_REQUEST = 0x25609513
_SIMPLE_REPLY = 0x67446698
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_INFO_EXPORT, _INFO_BLOCK_SIZE = 0, 3
_PADDING = bytes(124)

_OPTION_HEADER = struct.Struct(">QLL")
_OPTION_ANSWER = struct.Struct(">QLLL")
_REQUEST_HEADER = struct.Struct(">LHHQQL")
_REPLY_HEADER = struct.Struct(">LLQ")
_EXPORT = struct.Struct(">QH")


def greeting() -> bytes:
    """What the server says first."""
    return struct.pack(">QQH", _GREETING, _OPTION, _FIXED_NEWSTYLE | _NO_ZEROES)


def wants_padding(data: bytes) -> bool:
    """From the flags that the client answers: whether 124 zeros follow an export that is chosen by EXPORT_NAME.

    ProtocolError for flags that this server did not offer.
    """
    (flags,) = struct.unpack(">L", data)
    if flags & ~(_FIXED_NEWSTYLE | _NO_ZEROES) or not flags & _FIXED_NEWSTYLE:
        raise ProtocolError(f"an NBD client with the flags {flags:#x}, which were not offered")
    return not flags & _NO_ZEROES


def option_header(data: bytes) -> OptionHeader:
    """The first 16 bytes of an option. ProtocolError where they are none."""
    magic, option, length = _OPTION_HEADER.unpack(data)
    if magic != _OPTION:
        raise ProtocolError("that is no NBD option")
    return OptionHeader(option, length)


def wish(data: bytes) -> Wish:
    """The data of INFO and GO. ProtocolError where the lengths in it do not fit."""
    try:
        (length,) = struct.unpack_from(">L", data)
        name = data[4 : 4 + length]
        (count,) = struct.unpack_from(">H", data, 4 + length)
        kinds = struct.unpack(f">{count}H", data[6 + length :])
    except struct.error:
        raise ProtocolError("the lengths in an NBD option do not fit") from None
    return Wish(name.decode("utf-8", "replace"), kinds)


def option_reply(option: int, reply: Reply, data: bytes = b"") -> bytes:
    """An answer to an option; with an error, `data` is text for a person."""
    return _OPTION_ANSWER.pack(_OPTION_REPLY, option, reply, len(data)) + data


def export_reply(option: int, size: int, *, block: int, preferred: int, most: int) -> bytes:
    """The information about an export that INFO and GO get, and the acknowledgement; all sizes in bytes."""
    export = struct.pack(">HQH", _INFO_EXPORT, size, _FLAGS)
    blocks = struct.pack(">HLLL", _INFO_BLOCK_SIZE, block, preferred, most)
    replies = ((Reply.INFO, export), (Reply.INFO, blocks), (Reply.ACK, b""))
    return b"".join(option_reply(option, reply, data) for reply, data in replies)


def export_name_reply(size: int, *, padded: bool) -> bytes:
    """The answer to EXPORT_NAME, which has no form of its own."""
    return _EXPORT.pack(size, _FLAGS) + (_PADDING if padded else b"")


def request(data: bytes) -> Request:
    """The 28 bytes of a command. ProtocolError where they are none."""
    magic, flags, command, cookie, offset, length = _REQUEST_HEADER.unpack(data)
    if magic != _REQUEST:
        raise ProtocolError("that is no NBD request")
    return Request(command, flags, cookie, offset, length)


def simple_reply(cookie: int, fault: Fault = Fault.NONE) -> bytes:
    """The head of an answer to a command; what was read follows where there is no fault."""
    return _REPLY_HEADER.pack(_SIMPLE_REPLY, fault, cookie)


_FLAGS = Flag.HAS_FLAGS | Flag.READ_ONLY
