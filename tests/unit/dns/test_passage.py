from __future__ import annotations

import struct

import pytest
from dnslib import AAAA, CNAME, EDNS0, MX, NS, QTYPE, RR, SOA, TXT, A, DNSRecord
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.dns.codec import Query, decode
from provisioner.dns.passage import failure, incoming, outgoing, passed_on
from provisioner.errors import ProtocolError

NAME = "www.example.org"
NUMBER = 0x5AA5


def query(name: str = NAME, kind: str = "A", *, edns: int | None = None, flags: str = "") -> Query:
    record = DNSRecord.question(name, kind)
    record.header.id = 7
    if edns is not None:
        record.add_ar(EDNS0(udp_len=edns, flags=flags))
    return decode(bytes(record.pack()))


def reply(*records: RR, code: int = 0, authority: tuple[RR, ...] = (), additional: tuple[RR, ...] = ()) -> bytes:
    made = DNSRecord.parse(outgoing(query(), NUMBER)).reply(ra=1, aa=1)
    made.ar = []
    made.header.rcode = code
    made.add_answer(*records)
    made.add_auth(*authority)
    made.add_ar(*additional)
    return bytes(made.pack())


def address(ttl: int = 300, name: str = NAME) -> RR:
    return RR(name, QTYPE.A, ttl=ttl, rdata=A("192.0.2.1"))


def zone(ttl: int = 900, minimum: int = 120) -> RR:
    return RR(
        "example.org", QTYPE.SOA, ttl=ttl, rdata=SOA("ns.example.org", "root.example.org", (1, 2, 3, 4, minimum))
    )


def test_a_forwarder_is_asked_under_another_number_with_edns() -> None:
    sent = DNSRecord.parse(outgoing(query("Www.Example.ORG", edns=4096, flags="do"), NUMBER))

    assert (sent.header.id, sent.header.rd, sent.header.qr, str(sent.q.qname)) == (
        NUMBER,
        1,
        0,
        "Www.Example.ORG.",
    )
    (edns,) = sent.ar
    assert (edns.rclass, edns.edns_do) == (1232, 1)


def test_a_reply_goes_on_with_the_clients_number_letters_and_less_time() -> None:
    passage = incoming(reply(address(300), additional=(EDNS0(udp_len=4096),)), query(), NUMBER)

    sent = DNSRecord.parse(passed_on(passage, query("WWW.example.org"), 40, 512))

    assert (sent.header.id, sent.header.qr, sent.header.aa, sent.header.ra, sent.header.rd) == (7, 1, 0, 1, 1)
    assert (str(sent.q.qname), str(sent.a.rname), str(sent.a.rdata)) == (
        "WWW.example.org.",
        "WWW.example.org.",
        "192.0.2.1",
    )
    assert (sent.a.ttl, sent.ar) == (260, [])


def test_who_speaks_edns_is_answered_with_ours_and_the_others_without() -> None:
    extra = (RR("ns.example.org", QTYPE.A, ttl=9, rdata=A("192.0.2.53")), EDNS0(udp_len=4096))
    passage = incoming(reply(address(), additional=extra), query(), NUMBER)

    plain = DNSRecord.parse(passed_on(passage, query(), 0, 512))
    modern = DNSRecord.parse(passed_on(passage, query(edns=1400), 0, 1232))

    assert [each.rtype for each in plain.ar] == [QTYPE.A]
    assert [(each.rtype, each.rclass) for each in modern.ar] == [(QTYPE.A, extra[0].rclass), (QTYPE.OPT, 1232)]


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (reply(address(300)), 300),
        (reply(address(300), RR(NAME, QTYPE.TXT, ttl=20, rdata=TXT("x"))), 20),
        (reply(address(1 << 30)), 3600),
        (reply(address(1 << 31)), 0),
        (reply(address(0)), 0),
        (reply(code=3, authority=(zone(900, 120),)), 120),
        (reply(code=3, authority=(zone(60, 120),)), 60),
        (reply(code=3, authority=(zone(9000, 9000),)), 300),
        (reply(authority=(zone(900, 100),)), 100),
        (reply(RR(NAME, QTYPE.CNAME, ttl=30, rdata=CNAME("x.org")), code=3, authority=(zone(),)), 30),
        (reply(code=3), 0),
        (reply(authority=(RR("example.org", QTYPE.NS, ttl=9, rdata=NS("ns.example.org")),)), 0),
        (reply(address(), code=2), 0),
        (reply(address(), code=5), 0),
    ],
)
def test_a_reply_is_kept_as_long_as_its_shortest_record_or_its_zone_says(data: bytes, seconds: int) -> None:
    assert incoming(data, query(), NUMBER).seconds == seconds


def test_a_reply_that_was_cut_or_does_not_fit_sends_the_client_to_tcp() -> None:
    cut = bytearray(reply(address()))
    cut[2] |= 0x02
    many = reply(*(RR(NAME, QTYPE.AAAA, ttl=60, rdata=AAAA(f"2001:db8::{n:x}")) for n in range(100)))

    short = incoming(bytes(cut), query(), NUMBER)
    long = DNSRecord.parse(passed_on(incoming(many, query(), NUMBER), query(), 0, 512))

    assert (short.is_cut, short.seconds) == (True, 0)
    assert (long.header.tc, long.rr, long.header.rcode) == (1, [], 0)


def test_the_failure_of_all_forwarders_is_a_servfail() -> None:
    sent = DNSRecord.parse(failure(query(edns=1232)))

    assert (sent.header.id, sent.header.rcode, str(sent.q.qname), len(sent.ar)) == (7, 2, f"{NAME}.", 1)


def changed(data: bytes, at: int, octets: bytes) -> bytes:
    return data[:at] + octets + data[at + len(octets) :]


GOOD = reply(address())
OWNER = 12 + len(query().asked)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (GOOD[:11], "cut short"),
        (changed(GOOD, 0, b"\0\1"), "not the reply"),
        (changed(GOOD, 2, b"\1"), "not the reply"),
        (changed(GOOD, 2, b"\xa0"), "not the reply"),
        (changed(GOOD, 4, b"\0\2"), "not the reply"),
        (changed(GOOD, 13, b"x"), "another question"),
        (changed(GOOD, 6, b"\0\2"), "cut short"),
        (changed(GOOD, 6, b"\xff\xff"), "65535 records"),
        (GOOD[:-1], "cut short"),
        # RFC 9267: pointers to themselves, forwards and into the header, reserved types of labels, no end.
        (changed(GOOD, OWNER, struct.pack("!H", 0xC000 | OWNER)), "forwards, to itself"),
        (changed(GOOD, OWNER, struct.pack("!H", 0xC000 | OWNER + 2)), "forwards, to itself"),
        (changed(GOOD, OWNER, b"\xc0\x00"), "into the header"),
        (changed(GOOD, OWNER, b"\x40\x0c"), "no known type"),
        (changed(GOOD, OWNER, b"\x80\x0c"), "no known type"),
        (GOOD[:OWNER] + b"\x3fabc", "cut short"),
        (GOOD[:OWNER] + b"\xc0", "no known type"),
    ],
)
def test_what_is_no_sound_reply_to_the_question_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        incoming(data, query(), NUMBER)


def test_a_name_that_goes_back_and_forth_comes_to_an_end() -> None:
    # Every pointer leads backwards, and the name of all of them together is longer than 255 octets.
    start = OWNER
    chain = b"\x3f" + b"a" * 63 + struct.pack("!H", 0xC00C)
    names = b"".join(b"\x3f" + b"a" * 63 + struct.pack("!H", 0xC000 | start + len(chain) * n) for n in range(5))
    data = changed(GOOD, 6, b"\0\1")[:start] + chain + names

    with pytest.raises(ProtocolError, match=r"."):
        incoming(data, query(), NUMBER)


@given(st.binary(max_size=600), st.tuples(*[st.integers(0, 4)] * 3), st.integers(0, 0xFFFF))
@example(b"\xc0\x0c" * 50, (4, 4, 4), 0x8180)
def test_arbitrary_replies_are_refused_or_can_be_passed_on(
    data: bytes, counts: tuple[int, int, int], flags: int
) -> None:
    packed = struct.pack("!6H", NUMBER, flags, 1, *counts) + query().asked + data
    try:
        passage = incoming(packed, query(), NUMBER)
    except ProtocolError:
        return

    sent = passed_on(passage, query(edns=1232), 5, 1232)

    assert len(sent) <= 1232
    assert sent[:2] == b"\0\x07"
    assert 0 <= passage.seconds <= 3600


@given(
    st.lists(
        st.sampled_from(
            [
                address(),
                address(5, "a.b.example.org"),
                RR(NAME, QTYPE.CNAME, ttl=50, rdata=CNAME("cdn.example.net")),
                RR("example.org", QTYPE.MX, ttl=70, rdata=MX("mx.example.org", 10)),
                RR("example.org", QTYPE.TXT, ttl=70, rdata=TXT("x" * 200)),
                zone(),
            ]
        ),
        max_size=9,
    ),
    st.integers(0, 100),
)
def test_what_goes_on_says_what_came_but_for_the_time_to_live(records: list[RR], age: int) -> None:
    third = len(records) // 3
    data = reply(
        *records[:third], authority=tuple(records[third : 2 * third]), additional=tuple(records[2 * third :])
    )

    came = DNSRecord.parse(data)
    sent = DNSRecord.parse(passed_on(incoming(data, query(), NUMBER), query(), age, 65535))

    for before, after in ((came.rr, sent.rr), (came.auth, sent.auth), (came.ar, sent.ar)):
        assert [(str(each.rname), each.rtype, str(each.rdata)) for each in after] == [
            (str(each.rname), each.rtype, str(each.rdata)) for each in before
        ]
        assert [each.ttl for each in after] == [max(each.ttl - age, 0) for each in before]
