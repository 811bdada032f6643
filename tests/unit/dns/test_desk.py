from __future__ import annotations

import tracemalloc

import pytest
from dnslib import EDNS0, QTYPE, RR, SOA, DNSRecord

from provisioner.dns.desk import Desk
from provisioner.dns.guard import Standing
from provisioner.dns.respond import Decision
from provisioner.model.snapshot import Snapshot
from tests.support.packets import demo, interface, node, snapshot


def question(name: str, kind: str = "A", *, number: int = 1, recursion: bool = True) -> bytes:
    record = DNSRecord.question(name, kind)
    record.header.id, record.header.rd = number, int(recursion)
    return bytes(record.pack())


def site(**dns: object) -> Snapshot:
    base = demo()
    written = {**base.site.model_dump(mode="json", exclude_unset=True), "dns": dns}
    return Snapshot.build("1", type(base.site).model_validate(written), base.nodes.values())


class Place:
    """A desk whose snapshot a test can swap."""

    def __init__(self, current: Snapshot) -> None:
        self.current = current
        self.desk = Desk(lambda: self.current, lambda revision: 500 + int(revision))

    def code(self, data: bytes, standing: Standing = Standing.CLIENT, *, tcp: bool = False) -> int:
        reply = self.desk.decide(data, standing, tcp=tcp).reply
        assert reply is not None
        return int(DNSRecord.parse(reply).header.rcode)


def test_what_is_too_long_for_a_query_takes_no_memory() -> None:
    place = Place(demo())
    tracemalloc.start()
    for number in range(2000):
        assert place.code(question("n001.cluster.local", number=1) + number.to_bytes(2, "big") + bytes(4000)) == 1
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 1 << 20


def test_an_equal_question_gets_an_equal_reply_under_its_own_number() -> None:
    place = Place(demo())

    first = place.desk.decide(question("n001.cluster.local", number=1), Standing.CLIENT)
    second = place.desk.decide(question("n001.cluster.local", number=0xABCD), Standing.CLIENT)

    assert first.reply is not None
    assert second == Decision("noerror", b"\xab\xcd" + first.reply[2:])


def test_an_answer_ends_with_its_snapshot() -> None:
    place = Place(demo())
    asked = question("n001.cluster.local")
    assert place.code(asked) == 0

    place.current = snapshot(node("n500", interface("eth0", "10.77.0.50/24")))

    assert place.code(asked) == 3
    assert place.desk.zones.serial == 501


def test_strangers_are_refused_also_what_others_were_told_before() -> None:
    place = Place(demo())
    asked = question("n001.cluster.local")

    assert place.code(asked, Standing.CLIENT) == 0
    assert place.code(asked, Standing.STRANGER) == 5
    assert place.code(asked, Standing.STRANGER, tcp=True) == 5


def test_a_stranger_who_sends_nonsense_hears_nothing() -> None:
    nonsense = question("n001.cluster.local")[:-1]

    assert Place(demo()).desk.decide(nonsense, Standing.STRANGER) == Decision("dropped")
    assert Place(demo()).desk.decide(nonsense, Standing.CLIENT).label == "formerr"


@pytest.mark.parametrize(
    ("data", "forwarded"),
    [
        (question("www.example.org"), True),
        (question("www.example.org", recursion=False), False),
        (question("n001.cluster.local"), False),
        (question("n999.cluster.local"), False),
        (question("99.0.77.10.in-addr.arpa", "PTR"), False),
        (question("8.8.8.8.in-addr.arpa", "PTR"), True),
    ],
)
def test_only_names_of_others_are_forwarded_and_only_for_those_who_want_it(data: bytes, forwarded: bool) -> None:
    place = Place(site(forwarders=["192.0.2.53"]))

    for tcp in (False, True):
        assert (place.desk.decide(data, Standing.CLIENT, tcp=tcp).forward is not None) is forwarded
        assert place.desk.decide(data, Standing.STRANGER, tcp=tcp).forward is None


def test_without_forwarders_names_of_others_are_refused() -> None:
    assert Place(demo()).code(question("www.example.org")) == 5


def test_the_reply_says_whether_names_of_others_can_be_asked() -> None:
    asked = question("n001.cluster.local")
    flags = []
    for place in (Place(demo()), Place(site(forwarders=["192.0.2.53"]))):
        reply = place.desk.decide(asked, Standing.CLIENT).reply
        assert reply is not None
        flags.append(DNSRecord.parse(reply).header.ra)

    assert flags == [0, 1]


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("name", ["cluster.local", "0.77.10.in-addr.arpa", "n001.cluster.local", "example.org"])
def test_whole_zones_go_to_secondaries_by_tcp_alone(kind: str, standing: Standing, name: str) -> None:
    desk = Place(demo()).desk
    allowed = standing is Standing.SECONDARY and name in {"cluster.local", "0.77.10.in-addr.arpa"}

    assert (desk.decide(question(name, kind), standing, tcp=True).transfer is not None) is allowed
    by_udp = desk.decide(question(name, kind), standing)
    assert by_udp.transfer is None
    assert by_udp.label == ("noerror" if allowed and kind == "IXFR" else "refused")


def test_a_question_for_what_changed_may_name_the_serial_that_is_known() -> None:
    record = DNSRecord.question("cluster.local", "IXFR")
    soa = SOA("provisioner.cluster.local", "hostmaster.cluster.local", (1, 2, 3, 4, 5))
    record.add_auth(RR("cluster.local", QTYPE.SOA, ttl=0, rdata=soa))

    decision = Place(demo()).desk.decide(bytes(record.pack()), Standing.SECONDARY, tcp=True)

    assert decision.transfer is not None


def test_a_version_of_edns_that_does_not_exist_yet_is_refused_with_the_one_that_does() -> None:
    record = DNSRecord.question("n001.cluster.local")
    record.add_ar(EDNS0(version=1, udp_len=1232))

    reply = Place(demo()).desk.decide(bytes(record.pack()), Standing.CLIENT).reply

    assert reply is not None
    parsed = DNSRecord.parse(reply)
    (edns,) = parsed.ar
    # 16 is written with its upper bits in the EDNS record (RFC 6891 section 6.1.3).
    assert (parsed.header.rcode, edns.ttl >> 24, (edns.ttl >> 16) & 255, parsed.rr) == (0, 1, 0, [])
