from __future__ import annotations

from ipaddress import ip_address

from dnslib import DNSRecord

from provisioner.dns.notify import Notifier
from provisioner.dns.zone import Zones
from provisioner.model.address import Address
from provisioner.model.snapshot import Snapshot
from tests.support.packets import demo

SECONDARY = ip_address("192.0.2.2")


class Post:
    """A notifier, and what it sent."""

    def __init__(self) -> None:
        base = demo()
        written = {**base.site.model_dump(mode="json", exclude_unset=True), "dns": {"notify": [str(SECONDARY)]}}
        self._snapshot = Snapshot.build("1", type(base.site).model_validate(written), base.nodes.values())
        self.serial = 1
        self.sent: list[tuple[bytes, Address]] = []
        self.notifier = Notifier(lambda: Zones.of(self._snapshot, self.serial), self._send)

    def _send(self, message: bytes, address: Address) -> None:
        self.sent.append((message, address))

    def looks(self, count: int) -> list[DNSRecord]:
        self.sent.clear()
        for _ in range(count):
            self.notifier.look()
        return [DNSRecord.parse(message) for message, _ in self.sent]


def test_a_secondary_is_told_of_every_zone_and_its_serial() -> None:
    told = Post().looks(1)

    assert {str(each.q.qname) for each in told} == {"cluster.local.", "0.77.10.in-addr.arpa."}
    assert {(each.header.opcode, each.header.aa, each.header.qr, each.q.qtype) for each in told} == {(4, 1, 0, 6)}
    assert {each.a.rdata.times[0] for each in told} == {1}


def test_it_is_told_again_ever_more_seldom_and_not_for_ever() -> None:
    assert len(Post().looks(100)) == 2 * 5


def test_who_heard_it_is_left_alone_until_the_next_change() -> None:
    post = Post()
    post.looks(1)
    replies = [bytes(DNSRecord.parse(message).reply(aa=1).pack()) for message, _ in post.sent]
    for reply in replies:
        changed = reply[:2] + bytes((0xA4, reply[3])) + reply[4:]
        assert not post.notifier.heard(changed, ip_address("192.0.2.3")), "another one cannot speak for it"
        assert post.notifier.heard(changed, SECONDARY)
        assert not post.notifier.heard(changed, SECONDARY)

    assert post.looks(50) == []
    post.serial = 2
    assert len(post.looks(1)) == 2
