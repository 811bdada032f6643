"""Which options of a read request are granted: blksize (RFC 2348), tsize and timeout (2349), windowsize (7440)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.model.address import Address

DEFAULT_BLOCK = 512

MAX_BLOCK = 1468
"""What fits an Ethernet frame, in octets: boot ROMs drop fragments. A server may grant less than is asked."""

_MAX_BLOCK_V6 = 1448

MAX_WINDOW = 32
"""Blocks on their way at once: 47 kB, which the small buffers of firmware and switches still take."""

DEFAULT_TIMEOUT = 1.0

MAX_TIMEOUT = 30
"""The longest timeout in seconds that is granted: a client that asks for more and vanishes must not cost more."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one transfer: octets a block, blocks a window, seconds before the first repetition.

    `granted` is what the client is told; where it is empty the transfer starts with the first block.
    """

    block: int = DEFAULT_BLOCK
    window: int = 1
    timeout: float = DEFAULT_TIMEOUT
    granted: Mapping[str, str] = field(default_factory=dict)


def max_block(address: Address) -> int:
    """The largest block that a server with this address grants: the header of IPv6 is 20 octets longer."""
    return MAX_BLOCK if address.version == 4 else _MAX_BLOCK_V6


def negotiate(asked: Mapping[str, str], size: int, largest: int = MAX_BLOCK) -> Terms:
    """The terms for a file of `size` octets. An unknown option or a value out of range counts as not sent."""
    granted: dict[str, str] = {}
    block = _number(asked, "blksize", 8, 65464)
    if block is not None:
        granted["blksize"] = str(min(block, largest))
    window = _number(asked, "windowsize", 1, 65535)
    if window is not None:
        granted["windowsize"] = str(min(window, MAX_WINDOW))
    timeout = _number(asked, "timeout", 1, MAX_TIMEOUT)
    if timeout is not None:
        granted["timeout"] = str(timeout)
    if "tsize" in asked:
        granted["tsize"] = str(size)
    return Terms(
        block=min(block or DEFAULT_BLOCK, largest),
        window=min(window or 1, MAX_WINDOW),
        timeout=float(timeout or DEFAULT_TIMEOUT),
        granted=granted,
    )


def _number(asked: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = asked.get(name, "")
    # isdecimal alone accepts other scripts' digits, and int() refuses thousands of them.
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):
        return None
    value = int(text)
    return value if least <= value <= most else None
