from __future__ import annotations

import pytest
from dnslib import EDNS0, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from provisioner.dns.respond import respond as decide
from provisioner.dns.zone import Zones
from tests.support.packets import demo

ZONES = Zones.of(demo())


def respond(data: bytes, zones: Zones) -> bytes | None:
    return decide(data, zones).reply


def test_a_query_is_answered() -> None:
    reply = DNSRecord.parse(respond(DNSRecord.question("n001.cluster.local").pack(), ZONES))

    assert str(reply.a.rdata) == "10.77.0.11"


@pytest.mark.parametrize(("name", "code"), [("n001.cluster.local", 0), ("x.cluster.local", 3), ("example.org", 5)])
def test_the_code_tells_what_there_is(name: str, code: int) -> None:
    assert DNSRecord.parse(respond(DNSRecord.question(name, "TXT").pack(), ZONES)).header.rcode == code


@given(st.binary(max_size=600))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    respond(data, ZONES)


@given(st.binary(max_size=300), st.integers(0, 3), st.integers(0, 3))
def test_arbitrary_questions_never_raise_and_every_reply_can_be_read(data: bytes, asked: int, extra: int) -> None:
    counts = asked.to_bytes(2, "big") + bytes(4) + extra.to_bytes(2, "big")

    reply = respond(b"\x12\x34\x01\x00" + counts + data, ZONES)

    assert reply is None or DNSRecord.parse(reply).header.id == 0x1234


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=6), st.binary(max_size=12))
def test_arbitrary_labels_below_our_zone_and_arbitrary_edns_never_raise(labels: list[bytes], tail: bytes) -> None:
    name = b"".join(bytes((len(label),)) + label for label in [*labels, b"cluster", b"local"]) + b"\0"
    query = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\1" + name + b"\0\1\0\1" + b"\0\0\x29" + tail

    respond(query, ZONES)


def test_a_reply_is_not_answered_so_that_two_servers_cannot_echo() -> None:
    reply = respond(DNSRecord.question("n001.cluster.local").pack(), ZONES)

    assert reply is not None
    assert respond(reply, ZONES) is None


def test_no_udp_reply_is_more_than_a_few_times_its_query() -> None:
    query = DNSRecord.question("cluster.local", "ANY")
    query.add_ar(EDNS0(udp_len=4096))
    packed = query.pack()

    reply = respond(packed, ZONES)

    assert reply is not None
    assert len(reply) < 5 * len(packed)
