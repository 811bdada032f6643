"""Frames of Ethernet as values: who speaks to whom by what, and where the payload begins."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from provisioner.model.address import Address

_HEADER = 14
_IPV4, _IPV6 = 0x0800, 0x86DD
_FRAGMENT = 0x1FFF
_SIX_HEADER = 40


class Protocol(Enum):
    """What carries the payload."""

    UDP = 17
    TCP = 6


@dataclass(frozen=True, slots=True)
class Packet:
    """A UDP datagram or a segment of TCP. `offset` is where the payload begins in the frame.

    `length` is that of the whole frame on the wire, as its IP header tells: what was heard may be less, or,
    where the network card cuts large segments, more than a frame can be.
    """

    protocol: Protocol
    source: tuple[Address, int]
    target: tuple[Address, int]
    payload: bytes
    offset: int
    length: int


def parse(frame: bytes) -> Packet | None:
    """The datagram or segment in a frame; None for everything else, later fragments included."""
    try:
        (kind,) = struct.unpack_from("!H", frame, 12)
        if kind == _IPV4:
            return _four(frame)
        return _six(frame) if kind == _IPV6 else None
    except (struct.error, IndexError):
        return None


def _four(frame: bytes) -> Packet | None:
    size = (frame[_HEADER] & 0x0F) * 4
    total, _, fragment = struct.unpack_from("!HHH", frame, _HEADER + 2)
    if fragment & _FRAGMENT:
        return None
    source, target = (IPv4Address(frame[place : place + 4]) for place in (_HEADER + 12, _HEADER + 16))
    return _above(frame, frame[_HEADER + 9], (source, target), (_HEADER + size, _HEADER + total))


def _six(frame: bytes) -> Packet | None:
    (length,) = struct.unpack_from("!H", frame, _HEADER + 4)
    source, target = (IPv6Address(frame[place : place + 16]) for place in (_HEADER + 8, _HEADER + 24))
    start = _HEADER + _SIX_HEADER
    return _above(frame, frame[_HEADER + 6], (source, target), (start, start + length))


def _above(frame: bytes, number: int, ends: tuple[Address, Address], place: tuple[int, int]) -> Packet | None:
    start, stop = place
    if number not in {each.value for each in Protocol}:
        return None
    protocol = Protocol(number)
    source, target = struct.unpack_from("!HH", frame, start)
    header = 8 if protocol is Protocol.UDP else (frame[start + 12] >> 4) * 4
    offset = start + header
    return Packet(protocol, (ends[0], source), (ends[1], target), frame[offset:stop], offset, stop)
