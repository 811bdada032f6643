"""DNS messages to bytes and back, by dnslib.

dnslib follows compression pointers by recursion and can be led in circles (RFC 9267 tells the family of these
mistakes). A query has nothing to compress, so a pointer in one is refused before dnslib sees it, and of the
records after the question only EDNS is read (RFC 6891). What forwarders answer is never given to dnslib
(`passage`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from dnslib import AAAA, CNAME, EDNS0, NS, PTR, RD, RR, SOA, A, DNSHeader, DNSQuestion, DNSRecord
from dnslib.buffer import BufferError as DnslibBufferError
from dnslib.dns import DNSBuffer, DNSError
from dnslib.label import DNSLabel, DNSLabelError

from provisioner.dns.message import TTL, Authority, Code, Kind, Question, Record, Reply, Target
from provisioner.errors import ProtocolError

MAX_QUERY = 512
"""The largest query in octets that is read: 12 of header, 255 of name, and room for EDNS."""

PLAIN_SIZE = 512
"""What a UDP reply may have at most without EDNS (RFC 1035 section 4.2.1)."""

EDNS_SIZE = 1232
"""What it may have at most with EDNS: never a fragment."""

_HEADER = 12
_MAX_NAME = 255
_INTERNET = 1
_ANY_CLASS = 255
_EDNS_START = b"\x00\x00\x29"
_EDNS_HEAD = 11
_DNSSEC_OK = 0x80
_NOTIFY = 4
# Seconds: how often a secondary looks for a change, tries again, and gives up; how long a "no" may be kept.
_SOA_TIMES = 300, 60, 604_800, TTL
_NAMED = {Kind.NS: NS, Kind.PTR: PTR, Kind.CNAME: CNAME}


@dataclass(frozen=True, slots=True)
class Edns:
    """What an asker says by EDNS: the size of UDP reply that it takes in octets, its version, and DNSSEC OK."""

    size: int
    version: int = 0
    wants_signatures: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A query: its number, the name exactly as it was written (it must come back so), and what is asked.

    `recursion` and `checking_disabled` are the header's RD and CD (RFC 4035 section 3.2.2).
    """

    number: int
    labels: tuple[bytes, ...]
    question: Question
    klass: int
    opcode: int
    recursion: bool
    edns: Edns | None
    checking_disabled: bool = False

    @property
    def udp_limit(self) -> int:
        """The largest UDP reply in octets."""
        return PLAIN_SIZE if self.edns is None else min(max(self.edns.size, PLAIN_SIZE), EDNS_SIZE)

    @property
    def problem(self) -> Code | None:
        """Why no zone can answer: an EDNS version, operation or class that is not served."""
        if self.edns and self.edns.version > 0:
            return Code.BAD_VERSION
        if self.opcode != 0:
            return Code.NOT_IMPLEMENTED
        return None if self.klass in {_INTERNET, _ANY_CLASS} else Code.REFUSED

    @property
    def asked(self) -> bytes:
        """The question as octets: name, type and class."""
        name = b"".join(bytes((len(label),)) + label for label in self.labels)
        return name + b"\0" + self.question.kind.to_bytes(2, "big") + self.klass.to_bytes(2, "big")


def decode(data: bytes) -> Query:
    """The query in a message. ProtocolError for replies, for anything malformed, and for several questions."""
    if not _HEADER < len(data) <= MAX_QUERY:
        raise ProtocolError(f"{len(data)} octets; a DNS query has {_HEADER + 1} to {MAX_QUERY}")
    _check_name(data)
    buffer = DNSBuffer(data)
    try:
        header = DNSHeader.parse(buffer)
        if header.qr or (header.q, header.a) != (1, 0):
            raise ProtocolError("not a query with one question and nothing else")
        asked = DNSQuestion.parse(buffer)
    except (DNSError, DnslibBufferError, DNSLabelError) as error:
        raise ProtocolError(f"not a DNS message: {error}") from None
    # Who asks for what changed since a serial number says that number in one more record (RFC 1995 section 3).
    if header.auth > (asked.qtype == Kind.IXFR):
        raise ProtocolError("a query with records that belong into a reply")
    edns = _edns(data[buffer.offset :]) if header.ar and not header.auth else None
    labels = tuple(asked.qname.label)
    question = Question(_text(labels), asked.qtype)
    flags = bool(header.rd), edns, bool(header.cd)
    return Query(header.id, labels, question, asked.qclass, header.opcode, *flags)


def encode(query: Query, reply: Reply, limit: int, *, recursive: bool = False) -> bytes:
    """The reply to a query; only its beginning, marked as truncated, where all of it exceeds `limit` octets.

    `recursive` says that other names can be asked here, too.
    """
    record = _empty(query, reply.code, recursive=recursive)
    record.header.aa = int(reply.authoritative)
    # The owner of an answer is the name as it was asked, in the same letters.
    name = DNSLabel(query.labels)
    record.add_answer(
        *(_record(each, name if each.name == query.question.name else None) for each in reply.answers)
    )
    record.add_auth(*(_record(each, None) for each in reply.authority))
    packed = bytes(record.pack())
    return packed if len(packed) <= limit else truncated(query, reply.code, recursive=recursive)


def truncated(query: Query, code: Code, *, recursive: bool = False) -> bytes:
    """The reply that says to ask again by TCP. It is hardly longer than its query."""
    record = _empty(query, code, recursive=recursive)
    record.header.aa, record.header.tc = int(Reply(code).authoritative), 1
    return bytes(record.pack())


def transfer_part(query: Query, records: Iterable[Record]) -> bytes:
    """One message of a zone transfer (RFC 5936 section 2.2)."""
    record = _empty(query, Code.NO_ERROR, recursive=False)
    record.header.aa = 1
    record.add_answer(*(_record(each, None) for each in records))
    return bytes(record.pack())


def notification(number: int, soa: Record) -> bytes:
    """The message that tells a secondary of a change (RFC 1996 section 3)."""
    header = DNSHeader(id=number, opcode=_NOTIFY, aa=1)
    record = DNSRecord(header, q=DNSQuestion(DNSLabel(soa.name), int(Kind.SOA), _INTERNET))
    record.add_answer(_record(soa, None))
    return bytes(record.pack())


def wire_name(name: str) -> bytes:
    """A name of ours as octets, not compressed."""
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"


def format_error(data: bytes) -> bytes | None:
    """The FORMERR for a message that `decode` refuses; None for what is no query, or two servers could echo."""
    if len(data) < _HEADER or data[2] & 0x80:
        return None
    return data[:2] + bytes((0x80 | (data[2] & 0x79), Code.FORMAT_ERROR)) + bytes(8)


def _check_name(data: bytes) -> None:
    at = _HEADER
    while at < len(data) and data[at]:
        if data[at] > 63:
            raise ProtocolError(f"octet {at}: a label of {data[at]} octets, or a pointer; expected at most 63")
        at += 1 + data[at]
    if at - _HEADER >= _MAX_NAME:
        raise ProtocolError(f"a name of {at - _HEADER + 1} octets; at most {_MAX_NAME} are allowed")


def _edns(extra: bytes) -> Edns | None:
    """What the record after the question says; ProtocolError for an OPT record that is cut short."""
    if extra[: len(_EDNS_START)] != _EDNS_START:
        return None
    if len(extra) < _EDNS_HEAD or len(extra) < _EDNS_HEAD + int.from_bytes(extra[9:11], "big"):
        raise ProtocolError("an EDNS record that is cut short")
    # The class of an OPT record is the size, and its TTL holds version and flags (RFC 6891 section 6.1).
    return Edns(int.from_bytes(extra[3:5], "big"), extra[6], bool(extra[7] & _DNSSEC_OK))


def _text(labels: tuple[bytes, ...]) -> str:
    # A dot inside a label must not look like a border between two.
    return ".".join(label.decode("latin-1").replace(".", "\\.") for label in labels).lower()


def _empty(query: Query, code: Code, *, recursive: bool) -> DNSRecord:
    """A reply with nothing but the question, and EDNS where the asker speaks it."""
    header = DNSHeader(
        id=query.number, qr=1, aa=0, rd=int(query.recursion), ra=int(recursive), opcode=query.opcode
    )
    header.cd = int(query.checking_disabled)
    header.rcode = int(code) & 15
    record = DNSRecord(header, q=DNSQuestion(DNSLabel(query.labels), query.question.kind, query.klass))
    if query.edns is not None:
        record.add_ar(EDNS0(udp_len=EDNS_SIZE, ext_rcode=int(code) >> 4))
    return record


def _record(record: Record, owner: DNSLabel | None) -> RR:
    return RR(owner or DNSLabel(record.name), int(record.kind), ttl=TTL, rdata=_data(record))


def _data(record: Record) -> RD:
    match record.value:
        case Authority(server, mailbox, serial):
            return SOA(DNSLabel(server), DNSLabel(mailbox), (serial, *_SOA_TIMES))
        case Target(priority, port, host):
            # dnslib would compress the name, which RFC 2782 forbids here.
            return RD(struct.pack("!HHH", priority, 0, port) + wire_name(host))
        case str(name):
            return _NAMED[record.kind](DNSLabel(name))
        case address:
            return A(str(address)) if address.version == 4 else AAAA(str(address))
