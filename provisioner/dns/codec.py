"""DNS messages to bytes and back, by dnslib.

dnslib follows compression pointers by recursion and can be led in circles (RFC 9267 tells the family of these
mistakes). A query has nothing to compress, so a pointer in one is refused before dnslib sees it, and of the
records after the question only EDNS is read (RFC 6891).
"""

from __future__ import annotations

from dataclasses import dataclass

from dnslib import AAAA, EDNS0, NS, PTR, RR, SOA, A, DNSHeader, DNSQuestion, DNSRecord
from dnslib.buffer import BufferError as DnslibBufferError
from dnslib.dns import DNSBuffer, DNSError
from dnslib.label import DNSLabel, DNSLabelError

from provisioner.dns.message import TTL, Authority, Code, Question, Record, Reply
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


@dataclass(frozen=True, slots=True)
class Query:
    """A query: its number, the name exactly as it was written (it must come back so), and what is asked.

    `edns` is the size of UDP reply that the asker takes in octets, None without EDNS.
    """

    number: int
    labels: tuple[bytes, ...]
    question: Question
    klass: int
    opcode: int
    recursion: bool
    edns: int | None

    @property
    def udp_limit(self) -> int:
        """The largest UDP reply in octets."""
        return PLAIN_SIZE if self.edns is None else min(max(self.edns, PLAIN_SIZE), EDNS_SIZE)

    @property
    def problem(self) -> Code | None:
        """Why no zone can answer: another operation than QUERY, or another class than the Internet's."""
        if self.opcode != 0:
            return Code.NOT_IMPLEMENTED
        return None if self.klass in {_INTERNET, _ANY_CLASS} else Code.REFUSED


def decode(data: bytes) -> Query:
    """The query in a message. ProtocolError for replies, for anything malformed, and for several questions."""
    if not _HEADER < len(data) <= MAX_QUERY:
        raise ProtocolError(f"{len(data)} octets; a DNS query has {_HEADER + 1} to {MAX_QUERY}")
    _check_name(data)
    buffer = DNSBuffer(data)
    try:
        header = DNSHeader.parse(buffer)
        if header.qr or (header.q, header.a, header.auth) != (1, 0, 0):
            raise ProtocolError("not a query with one question and nothing else")
        asked = DNSQuestion.parse(buffer)
        edns = _edns(buffer) if header.ar else None
    except (DNSError, DnslibBufferError, DNSLabelError) as error:
        raise ProtocolError(f"not a DNS message: {error}") from None
    labels = tuple(asked.qname.label)
    question = Question(_text(labels), asked.qtype)
    return Query(header.id, labels, question, asked.qclass, header.opcode, bool(header.rd), edns)


def encode(query: Query, reply: Reply, limit: int) -> bytes:
    """The reply to a query; only its beginning, marked as truncated, where all of it exceeds `limit` octets."""
    packed = _pack(query, reply, truncated=False)
    return packed if len(packed) <= limit else _pack(query, Reply(reply.code), truncated=True)


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


def _edns(buffer: DNSBuffer) -> int | None:
    if buffer.data[buffer.offset : buffer.offset + len(_EDNS_START)] != _EDNS_START:
        return None
    # The class of an OPT record is the size (RFC 6891 section 6.1.2).
    size: int = RR.parse(buffer).rclass
    return size


def _text(labels: tuple[bytes, ...]) -> str:
    # A dot inside a label must not look like a border between two.
    return ".".join(label.decode("latin-1").replace(".", "\\.") for label in labels).lower()


def _pack(query: Query, reply: Reply, *, truncated: bool) -> bytes:
    header = DNSHeader(
        id=query.number,
        qr=1,
        aa=int(reply.authoritative),
        tc=int(truncated),
        rd=int(query.recursion),
        ra=0,
        opcode=query.opcode,
        rcode=int(reply.code),
    )
    name = DNSLabel(query.labels)
    record = DNSRecord(header, q=DNSQuestion(name, query.question.kind, query.klass))
    # The owner of an answer is the name as it was asked, in the same letters.
    record.add_answer(
        *(_record(each, name if each.name == query.question.name else None) for each in reply.answers)
    )
    record.add_auth(*(_record(each, None) for each in reply.authority))
    if query.edns is not None:
        record.add_ar(EDNS0(udp_len=EDNS_SIZE))
    packed: bytes = record.pack()
    return packed


def _record(record: Record, owner: DNSLabel | None) -> RR:
    return RR(owner or DNSLabel(record.name), int(record.kind), ttl=TTL, rdata=_data(record))


def _data(record: Record) -> A | AAAA | NS | PTR | SOA:
    match record.value:
        case Authority(server, mailbox, serial):
            # Refresh and retry, expiry, and how long a "no" may be kept.
            return SOA(DNSLabel(server), DNSLabel(mailbox), (serial, 3600, 600, 86400, TTL))
        case str(name):
            return NS(DNSLabel(name)) if record.kind.name == "NS" else PTR(DNSLabel(name))
        case address:
            return A(str(address)) if address.version == 4 else AAAA(str(address))
