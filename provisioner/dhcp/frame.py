"""The IPv4 and UDP headers of a datagram to a client that cannot be found by its address yet."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

_IP = struct.Struct("!BBHHHBBHII")
_UDP = struct.Struct("!HHHH")
_PSEUDO = struct.Struct("!IIBBHHHH")
_VERSION_AND_LENGTH = 0x45
_LIFE = 64
_PROTOCOL = 17
_DO_NOT_FRAGMENT = 0x4000
_ALL_ONES = 0xFFFF


def udp_packet(payload: bytes, source: tuple[IPv4Address, int], target: tuple[IPv4Address, int]) -> bytes:
    """The IPv4 packet (RFC 791) with a UDP datagram (RFC 768) of this payload, both checksums filled in."""
    size = len(payload) + _UDP.size
    (ours, port), (theirs, their_port) = (int(source[0]), source[1]), (int(target[0]), target[1])
    pseudo = _PSEUDO.pack(ours, theirs, 0, _PROTOCOL, size, port, their_port, size)
    # A sum of zero is sent as ones, because zero says that there is no checksum.
    checksum = _checksum(pseudo + bytes(2) + payload) or _ALL_ONES
    whole = size + _IP.size
    start = (_VERSION_AND_LENGTH, 0, whole, 0, _DO_NOT_FRAGMENT, _LIFE, _PROTOCOL)
    header = _IP.pack(*start, _checksum(_IP.pack(*start, 0, ours, theirs)), ours, theirs)
    return header + _UDP.pack(port, their_port, size, checksum) + payload


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071): the sum of all words in ones' complement, inverted."""
    words = data if len(data) % 2 == 0 else data + b"\0"
    # 2**16 is 1 modulo 65535, so the remainder of the whole number is the folded sum of its words. Of the two
    # zeros of ones' complement it stands for the second, all ones, because some word is never zero.
    total = int.from_bytes(words, "big") % _ALL_ONES
    return _ALL_ONES - total if total else 0
