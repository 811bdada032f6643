"""Packet captures as bytes: pcapng (draft-ietf-opsawg-pcapng) with a comment a packet, and the older pcap.

Both are written packet by packet, so a capture that is cut off can be read up to there.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

SNAPLEN = 65535
"""How much of a packet is kept at most, in octets."""

_ETHERNET = 1
_NANOSECONDS = 9
_BILLION = 1_000_000_000
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT, _NAME, _RESOLUTION = 1, 2, 9
# The magic number of the variant with nanoseconds.
_PCAP_MAGIC = 0xA1B23C4D


@dataclass(frozen=True, slots=True)
class Captured:
    """A frame of Ethernet: `time` in nanoseconds since 1970, the number of its device, its `length` on the wire.

    `data` may be shorter than `length`.
    """

    time: int
    device: int
    data: bytes
    length: int
    comment: str = ""


def pcapng_start(devices: Sequence[str], comment: str) -> bytes:
    """The beginning of a file: who made it, and the devices in the order of their numbers."""
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options((_COMMENT, comment.encode()))
    interfaces = (
        struct.pack("<HHI", _ETHERNET, 0, SNAPLEN)
        + _options((_NAME, device.encode()), (_RESOLUTION, bytes([_NANOSECONDS])))
        for device in devices
    )
    return _block(_SECTION, section) + b"".join(_block(_INTERFACE, each) for each in interfaces)


def pcapng_packet(packet: Captured) -> bytes:
    """One packet."""
    high, low = packet.time >> 32, packet.time & 0xFFFFFFFF
    head = struct.pack("<IIIII", packet.device, high, low, len(packet.data), packet.length)
    options = _options((_COMMENT, packet.comment.encode())) if packet.comment else b""
    return _block(_PACKET, head + _padded(packet.data) + options)


def pcap_start() -> bytes:
    """The beginning of a file of the older format; it has no room for devices and comments."""
    return struct.pack("<IHHiIII", _PCAP_MAGIC, 2, 4, 0, 0, SNAPLEN, _ETHERNET)


def pcap_packet(packet: Captured) -> bytes:
    """One packet of the older format."""
    seconds, rest = divmod(packet.time, _BILLION)
    return struct.pack("<IIII", seconds, rest, len(packet.data), packet.length) + packet.data


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _options(*options: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in options) + bytes(4)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
