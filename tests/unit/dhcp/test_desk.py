from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from provisioner.boot.attempts import Attempts
from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import decode, encode
from provisioner.dhcp.desk import Desk, Outcome
from provisioner.dhcp.message import Kind, Message
from provisioner.dhcp.policy import answer
from provisioner.dhcp.reply import destination
from provisioner.dhcp.report import events_of
from tests.support.packets import CLIENTS, IPXE_BIOS, MAC, NETWORKD, OVMF_PXE, Firmware, demo, requests
from tests.support.resolved import catalogue

SERVER = IPv4Address("10.77.0.1")
SERVERS = SERVER, IPv4Address("10.77.0.2")
SITE = demo(pool="10.77.0.200-10.77.0.203"), catalogue()
STRANGER = "52:54:00:99:99:99"
RIVAL = "52:54:00:99:99:80"
"""A machine whose search for an address of the pool begins where that of the stranger does."""


def handled(desk: Desk, data: bytes, now: float = 1000.0, source: tuple[str, int] = ("10.77.0.9", 68)) -> Outcome:
    return desk.handle(data, source, SITE, now=now)


def asked_by(client: Firmware, kind: Kind, xid: int) -> bytes:
    chosen = {50: IPv4Address("10.77.0.11").packed, 54: SERVER.packed} if kind is Kind.REQUEST else {}
    return client.datagram(kind, xid=xid, extra=chosen)


def test_an_answer_given_again_tells_the_same_events_at_their_own_time() -> None:
    desk = Desk(SERVER, 8080)
    first, again = (handled(desk, asked_by(IPXE_BIOS, Kind.DISCOVER, now), float(now)) for now in (1000, 2000))

    assert [event.time for event in (*first.events, *again.events)] == [1000.0, 1000.0, 2000.0, 2000.0]
    assert [replace(event, time=1000.0) for event in again.events] == list(first.events)
    assert (again.name, again.target) == (first.name, first.target) == ("offer", first.target)


def test_a_lease_of_the_pool_ends_when_the_machine_gets_its_own_address_again() -> None:
    desk = Desk(SERVER, 8080)
    handled(desk, NETWORKD.datagram(Kind.DISCOVER))
    pooled = handled(desk, NETWORKD.datagram(Kind.DISCOVER, mac=STRANGER))
    assert pooled.reply is not None
    address = decode(pooled.reply).yiaddr

    assert desk.leases.at(address, 1001.0) is not None
    handled(desk, NETWORKD.datagram(Kind.RELEASE, mac=STRANGER, ciaddr=address.packed))
    assert desk.leases.at(address, 1001.0) is None


def test_a_clock_that_is_set_ends_no_lease() -> None:
    desk = Desk(SERVER, 8080, steady=lambda: 5.0)
    first = handled(desk, NETWORKD.datagram(Kind.DISCOVER, mac=STRANGER)).reply
    later = handled(desk, NETWORKD.datagram(Kind.DISCOVER, mac=RIVAL), now=100_000.0).reply

    assert first is not None
    assert later is not None
    assert decode(first).yiaddr != decode(later).yiaddr


def test_what_has_no_answer_is_told_once_a_minute_and_counted_each_time() -> None:
    desk, site = Desk(SERVER, 8080), (demo(), catalogue())
    data = NETWORKD.datagram(Kind.DISCOVER, mac=STRANGER)
    outcomes = [desk.handle(data, ("0.0.0.0", 68), site, now=now) for now in (1000.0, 1001.0, 1061.0)]

    assert [outcome.name for outcome in outcomes] == ["ignored"] * 3
    assert [len(outcome.events) for outcome in outcomes] == [1, 0, 1]


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 3), min_size=2, max_size=12))
def test_a_remembered_answer_is_the_one_that_the_policy_gives(messages: list[Message], order: list[int]) -> None:
    desk = Desk(SERVER, 8080)
    reference = Desk(SERVER, 8080)
    for now, number in enumerate(order, start=1000):
        message = replace(messages[number % len(messages)], xid=now, secs=now - 1000)
        outcome = handled(desk, encode(message), float(now))
        context = Context(*SITE, SERVER, 8080, reference.leases, float(now))
        decided = answer(message, context)
        if decided.drop:
            reference.leases.drop(decided.drop)
        if decided.keep:
            reference.leases.keep(decided.keep)

        assert outcome.name == decided.name
        assert (outcome.reply is None) == (decided.reply is None)
        if decided.reply is not None:
            assert outcome.reply == encode(decided.reply)
            assert outcome.target == destination(decided.reply)
            assert outcome.events == tuple(events_of(message, decided, float(now)))


def loader_of(outcome: Outcome) -> str:
    assert outcome.reply is not None
    return decode(outcome.reply).file.decode()


def test_firmware_that_never_comes_to_its_script_gets_the_next_loader_and_that_is_told_once() -> None:
    desk = Desk(SERVER, 8080)
    outcomes = [handled(desk, asked_by(OVMF_PXE, Kind.REQUEST, 7), now) for now in range(1000, 2000, 200)]

    assert [loader_of(each) for each in outcomes] == ["snponly.efi"] * 2 + ["ipxe.efi"] * 2 + ["snponly.efi"]
    told = [[event.name for event in each.events if event.name == "loader.stuck"] for each in outcomes]
    assert told == [[], [], ["loader.stuck"], [], ["loader.stuck"]]


def test_an_offer_alone_is_no_attempt() -> None:
    desk = Desk(SERVER, 8080)
    offers = [handled(desk, asked_by(OVMF_PXE, Kind.DISCOVER, 7), now) for now in range(1000, 3000, 200)]

    assert {loader_of(each) for each in offers} == {"snponly.efi"}


def test_a_machine_that_came_to_its_script_keeps_its_loader() -> None:
    attempts = Attempts()
    desk = Desk(SERVER, 8080, attempts=attempts)
    for now in range(1000, 1600, 200):
        handled(desk, asked_by(OVMF_PXE, Kind.REQUEST, 7), now)
    attempts.arrived(MAC)
    later = [handled(desk, asked_by(OVMF_PXE, Kind.REQUEST, 7), now) for now in (2000, 2200)]

    assert [loader_of(each) for each in later] == ["ipxe.efi"] * 2


class TwoDaemons(RuleBasedStateMachine):
    """Two daemons of one site hear every broadcast, and a machine takes the offer of either: they agree."""

    macs = st.sampled_from([MAC, STRANGER, "52:54:00:77:00:13", RIVAL])
    either = st.integers(0, 1)

    def __init__(self) -> None:
        super().__init__()
        self.desks = [Desk(server, 8080) for server in SERVERS]
        self.xid = 0
        self.offered: dict[str, IPv4Address] = {}
        self.held: dict[str, IPv4Address] = {}

    @rule(mac=macs, client=st.sampled_from(CLIENTS))
    def discover(self, mac: str, client: Firmware) -> None:
        first, second = (self.told(desk, client.datagram(Kind.DISCOVER, mac=mac)) for desk in self.desks)
        assert first is not None
        assert second is not None
        assert first.yiaddr == second.yiaddr
        self.offered[mac] = first.yiaddr

    @rule(mac=macs, chosen=either)
    def request(self, mac: str, chosen: int) -> None:
        if (wanted := self.offered.get(mac)) is None:
            return
        data = NETWORKD.datagram(Kind.REQUEST, mac=mac, extra={50: wanted.packed, 54: SERVERS[chosen].packed})
        replies = [self.told(desk, data) for desk in self.desks]
        ack = replies[chosen]
        assert ack is not None
        assert (ack.kind, ack.yiaddr) == (Kind.ACK, wanted)
        assert replies[1 - chosen] is None
        self.held[mac] = wanted

    @rule(mac=macs, asked=either)
    def renew(self, mac: str, asked: int) -> None:
        if (address := self.held.get(mac)) is not None:
            ack = self.told(self.desks[asked], NETWORKD.datagram(Kind.REQUEST, mac=mac, ciaddr=address.packed))
            assert ack is not None
            assert (ack.kind, ack.yiaddr) == (Kind.ACK, address)

    @invariant()
    def nobody_has_the_address_of_another(self) -> None:
        assert len(set(self.held.values())) == len(self.held)

    def told(self, desk: Desk, data: bytes) -> Message | None:
        self.xid += 1
        reply = handled(desk, data[:4] + self.xid.to_bytes(4, "big") + data[8:]).reply
        return decode(reply) if reply is not None else None


TestTwoDaemons = TwoDaemons.TestCase
