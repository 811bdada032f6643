from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from dnslib import EDNS0, QTYPE, DNSRecord

from provisioner.dns.codec import decode, encode, format_error
from provisioner.dns.message import Code, Kind, Question, Record, Reply
from provisioner.errors import ProtocolError


def query(name: str = "N001.Cluster.Local", kind: str = "A", *, edns: int | None = None) -> bytes:
    record = DNSRecord.question(name, kind)
    if edns is not None:
        record.add_ar(EDNS0(udp_len=edns))
    return bytes(record.pack())


def header(*counts: int, flags: int = 0x0100) -> bytes:
    return b"\x12\x34" + flags.to_bytes(2, "big") + b"".join(count.to_bytes(2, "big") for count in counts)


def test_a_query_is_read_in_lower_case() -> None:
    read = decode(query(kind="AAAA"))

    assert read.question == Question("n001.cluster.local", Kind.AAAA)
    assert (read.edns, read.udp_limit, read.problem) == (None, 512, None)


@pytest.mark.parametrize(("edns", "limit"), [(0, 512), (512, 512), (1000, 1000), (4096, 1232)])
def test_the_size_that_edns_offers_is_taken_within_bounds(edns: int, limit: int) -> None:
    assert decode(query(edns=edns)).udp_limit == limit


def test_a_dot_inside_a_label_is_not_a_border() -> None:
    data = header(1, 0, 0, 0) + b"\x0cn001.cluster\x05local\x00\x00\x01\x00\x01"

    assert decode(data).question.name == "n001\\.cluster.local"


def test_the_name_comes_back_as_it_was_written() -> None:
    reply = Reply(Code.NO_ERROR, (Record("n001.cluster.local", Kind.A, IPv4Address("10.0.0.1")),))

    packed = encode(decode(query()), reply, 512)

    assert packed.count(b"\x04N001\x07Cluster\x05Local") == 1
    read = DNSRecord.parse(packed)
    assert (str(read.a.rname), str(read.a.rdata), read.header.aa, read.header.ra) == (
        "N001.Cluster.Local.",
        "10.0.0.1",
        1,
        0,
    )


def test_a_reply_that_does_not_fit_is_marked_as_truncated_and_fits() -> None:
    name = "n001.cluster.local"
    reply = Reply(Code.NO_ERROR, tuple(Record(name, Kind.A, IPv4Address(number)) for number in range(100)))

    short, whole = encode(decode(query()), reply, 512), encode(decode(query()), reply, 65535)

    assert len(short) <= 512
    assert (DNSRecord.parse(short).header.tc, DNSRecord.parse(short).rr) == (1, [])
    assert len(DNSRecord.parse(whole).rr) == 100


def test_edns_is_answered_with_edns() -> None:
    packed = encode(decode(query(edns=4096)), Reply(Code.REFUSED), 512)

    (extra,) = DNSRecord.parse(packed).ar
    assert (QTYPE[extra.rtype], extra.rclass) == ("OPT", 1232)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x12\x34\x20\x00" + query()[4:], Code.NOT_IMPLEMENTED),
        (query()[:-2] + b"\x00\x03", Code.REFUSED),
        (query()[:-2] + b"\x00\xff", None),
    ],
    ids=["an update", "another class", "any class"],
)
def test_what_no_zone_can_answer_is_named(data: bytes, problem: Code | None) -> None:
    assert decode(data).problem is problem


LOOP = b"\x01a\xc0\x0c\x00\x01\x00\x01"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 octets"),
        (bytes(513), "513 octets"),
        (header(1, 0, 0, 0) + LOOP, "octet 14: a label of 192 octets"),
        (header(1, 0, 0, 0) + b"\x3f" + b"a" * 20, "not a DNS message"),
        (header(1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 4 + b"\x00\x00\x01\x00\x01", "a name of 257 octets"),
        (header(2, 0, 0, 0) + query()[12:] * 2, "one question"),
        (header(1, 1, 0, 0) + query()[12:], "one question"),
        (header(1, 0, 0, 0, flags=0x8000) + query()[12:], "one question"),
        (header(1, 0, 0, 0) + b"\x01a\x00\x00\x01", "not a DNS message"),
        (header(1, 0, 0, 1) + query()[12:] + b"\x00\x00\x29\x10", "cut short"),
    ],
)
def test_what_is_not_one_plain_query_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        decode(data)


def test_a_malformed_query_can_be_told_so_and_a_reply_never() -> None:
    assert format_error(header(1, 0, 0, 0) + LOOP) == b"\x12\x34\x81\x01" + bytes(8)
    assert format_error(header(1, 0, 0, 0, flags=0x8100)) is None
    assert format_error(b"\x12\x34") is None
