"""DHCP messages to bytes and back: RFC 2131 section 2, RFC 2132, long options of RFC 3396, overload."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address
from types import MappingProxyType

from provisioner.dhcp.message import NO_ADDRESS, Message, Op, Option
from provisioner.errors import ProtocolError

MAX_SIZE = 1500
"""The largest message in octets, either way: what fits an Ethernet frame, and more than any client sends."""

_HEADER = struct.Struct("!4BIHH4I16s64s128s4s")
_COOKIE = bytes((99, 130, 83, 99))
_PAD = 0
_END = 255
_PIECE = 255
_FILE_OFFSET = 108
_SNAME_OFFSET = 44
# Old relays drop what is shorter than a BOOTP message (RFC 1542 section 2.1).
_MIN_REPLY = 300
_WIRE_ONLY = frozenset({_PAD, _END, int(Option.OVERLOAD)})
_OPS = {op.value: op for op in Op}


def decode(data: bytes) -> Message:
    """The message in a datagram. ProtocolError names the octet at which it stops making sense."""
    if not _HEADER.size <= len(data) <= MAX_SIZE:
        raise ProtocolError(f"{len(data)} octets; a DHCP message has {_HEADER.size} to {MAX_SIZE}")
    op, htype, hlen, hops, xid, secs, flags, *rest = _HEADER.unpack_from(data)
    ciaddr, yiaddr, siaddr, giaddr, chaddr, sname, file, cookie = rest
    if op not in _OPS:
        raise ProtocolError(f"octet 0: {op} is neither request (1) nor reply (2)")
    if hlen > len(chaddr):
        raise ProtocolError(f"octet 2: a hardware address of {hlen} octets; at most {len(chaddr)} fit")
    if cookie != _COOKIE:
        raise ProtocolError(f"octet 236: {cookie.hex()} is not the magic cookie 63825363")
    options = _options(data, _HEADER.size, len(data), {})
    overload = 0
    if Option.OVERLOAD in options:
        overload = _take_overload(options)
        if overload & 1:
            _options(data, _FILE_OFFSET, _FILE_OFFSET + 128, options)
        if overload & 2:
            _options(data, _SNAME_OFFSET, _SNAME_OFFSET + 64, options)
        options.pop(Option.OVERLOAD, None)
    return Message(
        op=_OPS[op],
        xid=xid,
        chaddr=chaddr[:hlen],
        htype=htype,
        hops=hops,
        secs=secs,
        flags=flags,
        # Most addresses of most messages are zero, and to make one takes longer than to look.
        ciaddr=IPv4Address(ciaddr) if ciaddr else NO_ADDRESS,
        yiaddr=IPv4Address(yiaddr) if yiaddr else NO_ADDRESS,
        siaddr=IPv4Address(siaddr) if siaddr else NO_ADDRESS,
        giaddr=IPv4Address(giaddr) if giaddr else NO_ADDRESS,
        sname=b"" if overload & 2 else sname.partition(b"\0")[0],
        file=b"" if overload & 1 else file.partition(b"\0")[0],
        options=MappingProxyType(options),
    )


def encode(message: Message) -> bytes:
    """The datagram of a message, padded to 300 octets. ValueError where a field does not fit its place."""
    _check(message)
    header = _HEADER.pack(
        message.op,
        message.htype,
        len(message.chaddr),
        message.hops,
        message.xid,
        message.secs,
        message.flags,
        int(message.ciaddr),
        int(message.yiaddr),
        int(message.siaddr),
        int(message.giaddr),
        message.chaddr,
        message.sname,
        message.file,
        _COOKIE,
    )
    data = bytearray(header)
    _append(data, message.options)
    data.append(_END)
    if len(data) > MAX_SIZE:
        raise ValueError(f"the options make a message of {len(data)} octets; at most {MAX_SIZE} are sent")
    return bytes(data).ljust(_MIN_REPLY, b"\0")


def _options(data: bytes, start: int, end: int, found: dict[int, bytes]) -> dict[int, bytes]:
    # A repeated code continues the earlier value (RFC 3396 section 7), also from one field to the next.
    at = start
    while at < end:
        code = data[at]
        if code == _END:
            break
        if code == _PAD:
            at += 1
            continue
        if at + 1 >= end:
            raise ProtocolError(f"octet {at}: option {code} has no length")
        stop = at + 2 + data[at + 1]
        if stop > end:
            raise ProtocolError(f"octet {at}: option {code} ends at {stop}, beyond its field's end {end}")
        value = data[at + 2 : stop]
        found[code] = found[code] + value if code in found else value
        at = stop
    return found


def _take_overload(options: dict[int, bytes]) -> int:
    value = options.pop(Option.OVERLOAD, b"\0")
    if len(value) != 1 or value[0] > 3:
        raise ProtocolError(f"option 52 (overload) is {value[:8].hex() or 'empty'}; expected one octet, 1 to 3")
    return value[0]


def _append(data: bytearray, options: Mapping[int, bytes]) -> None:
    for code, value in options.items():
        if code in _WIRE_ONLY or not 0 < code < _END:
            raise ValueError(f"{code} is not the code of an option that has a value")
        if len(value) <= _PIECE:
            data.append(code)
            data.append(len(value))
            data += value
            continue
        for start in range(0, len(value), _PIECE):
            piece = value[start : start + _PIECE]
            data.append(code)
            data.append(len(piece))
            data += piece


def _check(message: Message) -> None:
    if len(message.chaddr) > 16:
        raise ValueError(f"chaddr has {len(message.chaddr)} octets; 16 fit")
    if message.sname:
        _check_text("sname", message.sname, 64)
    if message.file:
        _check_text("file", message.file, 128)


def _check_text(name: str, value: bytes, limit: int) -> None:
    if len(value) > limit:
        raise ValueError(f"{name} has {len(value)} octets; {limit} fit")
    if b"\0" in value:
        raise ValueError(f"{name} contains a zero octet, which ends it")
