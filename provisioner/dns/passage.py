"""Questions to forwarders, and their replies, as octets that are passed on with as little change as possible.

A reply comes from outside, so it is walked and never parsed into objects. What RFC 9267 lists cannot happen: a
pointer leads backwards only and not often, every length is checked against what is there, and a count in the
header is believed only as far as records follow.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from provisioner.dns.codec import EDNS_SIZE, Query
from provisioner.dns.message import Code
from provisioner.errors import ProtocolError

LONGEST_TTL = 3600
"""No reply is kept for longer, in seconds, and nobody is told that he may."""

LONGEST_REFUSAL = 300
"""The same for a name or type that does not exist (RFC 2308 section 5)."""

_HEADER = 12
_OPT = 41
_SOA = 6
_MOST_RECORDS = 1000
_MOST_POINTERS = 64
_MAX_NAME = 255
_QR, _AA, _TC, _RD = 0x8000, 0x0400, 0x0200, 0x0100
_RA, _CD, _RCODE = 0x0080, 0x0010, 0x000F
_EDNS = struct.Struct("!BHHBBHH")


@dataclass(frozen=True, slots=True)
class Passage:
    """A reply that may be passed on: its flags, the counts of its sections, and what follows the question.

    `ttls` are the places of all times to live in `body`, `seconds` how long it may be kept; 0 for not at all.
    """

    flags: int
    counts: tuple[int, int, int]
    body: bytes
    ttls: tuple[int, ...]
    seconds: int

    @property
    def code(self) -> int:
        """The outcome (RFC 1035 section 4.1.1), without the bits that EDNS adds."""
        return self.flags & _RCODE

    @property
    def is_cut(self) -> bool:
        """Whether there is more by TCP."""
        return bool(self.flags & _TC)


@dataclass(frozen=True, slots=True)
class _Found:
    kind: int
    ttl_at: int
    ttl: int
    data_at: int
    size: int


def outgoing(query: Query, number: int) -> bytes:
    """The question that a forwarder gets in place of a client's query, under a number of our own."""
    flags = _RD | (_CD if query.checking_disabled else 0)
    wants = 0x8000 if query.edns and query.edns.wants_signatures else 0
    return (
        struct.pack("!6H", number, flags, 1, 0, 0, 1)
        + query.asked
        + _EDNS.pack(0, _OPT, EDNS_SIZE, 0, 0, wants, 0)
    )


def incoming(data: bytes, query: Query, number: int) -> Passage:
    """What a forwarder replied to `outgoing`. ProtocolError for anything but a sound reply to that question."""
    if len(data) < _HEADER:
        raise ProtocolError("a reply of a forwarder is cut short")
    given, flags, questions, *counts = struct.unpack_from("!6H", data)
    start = _HEADER + len(query.asked)
    if given != number or not flags & _QR or flags & 0x7800 or questions != 1:
        raise ProtocolError("not the reply to what the forwarder was asked")
    if data[_HEADER:start].lower() != query.asked.lower():
        raise ProtocolError("the reply of a forwarder is about another question")
    if sum(counts) > _MOST_RECORDS:
        raise ProtocolError(f"a reply of a forwarder with {sum(counts)} records; at most {_MOST_RECORDS} are read")
    found = list(_records(data, start, sum(counts)))
    ends = counts[0] + counts[1]
    kept = found[:ends] + _before_edns(found[ends:])
    end = kept[-1].data_at + kept[-1].size if kept else start
    return Passage(
        flags=flags,
        counts=(counts[0], counts[1], len(kept) - ends),
        body=data[start:end],
        ttls=tuple(each.ttl_at - start for each in kept),
        seconds=_seconds(data, flags, found[:ends], answers=counts[0]),
    )


def passed_on(passage: Passage, query: Query, age: int, limit: int) -> bytes:
    """The reply for a client whose query has the same question; `age` in seconds since it came.

    One that exceeds `limit` octets is cut to its question and marked.
    """
    body = bytearray(passage.body)
    for at in passage.ttls:
        ttl = int.from_bytes(body[at : at + 4], "big")
        body[at : at + 4] = max(min(ttl, LONGEST_TTL) - age, 0).to_bytes(4, "big")
    whole = _reply(query, passage.flags & (_TC | _RCODE), passage.counts, bytes(body))
    return whole if len(whole) <= limit else _reply(query, _TC | passage.code, (0, 0, 0), b"")


def failure(query: Query) -> bytes:
    """The SERVFAIL for a question that no forwarder answered."""
    return _reply(query, int(Code.SERVER_FAILURE), (0, 0, 0), b"")


def _reply(query: Query, bits: int, counts: tuple[int, int, int], body: bytes) -> bytes:
    flags = _QR | _RA | bits | (_RD if query.recursion else 0) | (_CD if query.checking_disabled else 0)
    # EDNS goes to those alone who speak it (RFC 6891 section 6.1.1).
    own = _EDNS.pack(0, _OPT, EDNS_SIZE, 0, 0, 0x8000 * query.edns.wants_signatures, 0) if query.edns else b""
    header = struct.pack("!6H", query.number, flags, 1, counts[0], counts[1], counts[2] + bool(own))
    return header + query.asked + body + own


def _before_edns(additional: list[_Found]) -> list[_Found]:
    # EDNS is between two neighbours. What follows it could point behind it, and is of no use without it.
    ends = (number for number, each in enumerate(additional) if each.kind == _OPT)
    return additional[: next(ends, len(additional))]


def _seconds(data: bytes, flags: int, found: list[_Found], *, answers: int) -> int:
    """How long a reply may be kept: as its shortest record, or as the SOA of a zone says of what is not there."""
    code = flags & _RCODE
    if flags & _TC or code not in {Code.NO_ERROR, Code.NAME_ERROR} or not found:
        return 0
    shortest = min(each.ttl for each in found)
    if answers and code == Code.NO_ERROR:
        return min(shortest, LONGEST_TTL)
    zones = [each for each in found[answers:] if each.kind == _SOA and each.size >= 20]
    if not zones:
        return 0
    end = zones[0].data_at + zones[0].size
    return min(shortest, _ttl(data[end - 4 : end]), LONGEST_REFUSAL)


def _records(data: bytes, at: int, count: int) -> Iterator[_Found]:
    for _ in range(count):
        at = _after_name(data, at)
        if at + 10 > len(data):
            raise ProtocolError("a record of a forwarder's reply is cut short")
        kind, _class, ttl, size = struct.unpack_from("!HH4sH", data, at)
        if at + 10 + size > len(data):
            raise ProtocolError("the data of a record of a forwarder's reply is cut short")
        # The TTL of EDNS holds flags.
        yield _Found(kind, at + 4, _ttl(ttl), at + 10, size)
        at += 10 + size


def _ttl(octets: bytes) -> int:
    seconds = int.from_bytes(octets, "big")
    # The highest bit means 0 (RFC 2181 section 8).
    return 0 if seconds >= 1 << 31 else seconds


def _after_name(data: bytes, at: int) -> int:
    """The place behind the name that starts at `at`, whose pointers are followed to see that it is one."""
    after = None
    length = pointers = 0
    while True:
        if at >= len(data):
            raise ProtocolError("a name of a forwarder's reply is cut short")
        size = data[at]
        if size == 0:
            return at + 1 if after is None else after
        if size < 64:
            length, at = length + size + 1, at + size + 1
        else:
            target = _pointed(data, at)
            after = at + 2 if after is None else after
            pointers, at = pointers + 1, target
        if length >= _MAX_NAME or pointers > _MOST_POINTERS:
            raise ProtocolError("a name of a forwarder's reply is too long or goes in circles")


def _pointed(data: bytes, at: int) -> int:
    if data[at] < 0xC0 or at + 2 > len(data):
        raise ProtocolError("a label of a forwarder's reply is of no known type")
    target = int.from_bytes(data[at : at + 2], "big") & 0x3FFF
    if not _HEADER <= target < at:
        raise ProtocolError("a pointer of a forwarder's reply leads forwards, to itself or into the header")
    return target
