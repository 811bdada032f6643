from __future__ import annotations

import pytest
from dnslib import EDNS0, DNSRecord

from provisioner.dns.cache import Cache, key_of
from provisioner.dns.codec import Query, decode
from provisioner.dns.passage import Passage


def query(name: str = "www.example.org", kind: str = "A", *, signed: bool = False) -> Query:
    record = DNSRecord.question(name, kind)
    if signed:
        record.add_ar(EDNS0(flags="do", udp_len=1232))
    return decode(bytes(record.pack()))


def passage(seconds: int, body: bytes = b"") -> Passage:
    return Passage(0x8180, (0, 0, 0), body, (), seconds)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_reply_is_given_with_its_age_until_its_time_is_over() -> None:
    clock = Clock()
    cache = Cache(clock)
    cache.put(key_of(query()), passage(10))

    clock.now += 9.9
    assert cache.get(key_of(query())) == (passage(10), 9)
    clock.now += 0.1
    assert cache.get(key_of(query())) is None
    assert len(cache) == 0


def test_a_clock_that_went_back_ends_what_is_kept() -> None:
    clock = Clock()
    cache = Cache(clock)
    cache.put(key_of(query()), passage(10))
    clock.now -= 5

    assert cache.get(key_of(query())) is None


@pytest.mark.parametrize("kept", [passage(0), passage(10, bytes(5000))])
def test_what_may_not_be_kept_or_is_too_large_is_not_kept(kept: Passage) -> None:
    cache = Cache(Clock())

    cache.put(key_of(query()), kept)

    assert len(cache) == 0


def test_the_one_that_was_asked_for_longest_ago_makes_room() -> None:
    cache = Cache(Clock(), most=2)
    names = [key_of(query(name)) for name in ("a.org", "b.org", "c.org")]
    for name in names[:2]:
        cache.put(name, passage(10))
    assert cache.get(names[0])
    cache.put(names[2], passage(10))

    assert [cache.get(name) is not None for name in names] == [True, False, True]


def test_capitals_do_not_make_another_question_but_signatures_and_types_do() -> None:
    assert key_of(query("WWW.Example.ORG")) == key_of(query())
    assert len({key_of(query()), key_of(query(signed=True)), key_of(query(kind="AAAA"))}) == 3
