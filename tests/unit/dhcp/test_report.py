from __future__ import annotations

from ipaddress import IPv4Address

from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import decode
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import answer
from provisioner.dhcp.report import Throttle, events_of, malformed
from provisioner.model.event import Event, Level, Stage
from tests.support.packets import IPXE_BIOS, MAC, UUID, demo
from tests.support.resolved import catalogue


def told(kind: int, mac: str = MAC) -> list[Event]:
    message = decode(IPXE_BIOS.datagram(kind, mac=mac))
    context = Context(demo(), catalogue(), IPv4Address("10.77.0.1"), 8080, Leases(), now=7.0)
    return list(events_of(message, answer(message, context), 7.0))


def test_an_answered_message_makes_two_events_that_name_node_address_and_firmware() -> None:
    discover, offer = told(1)

    assert (discover.name, discover.message) == ("dhcp.discover", "DISCOVER from iPXE")
    assert (offer.name, offer.node, offer.mac, offer.address) == ("dhcp.offer", "n001", MAC, "10.77.0.11")
    assert offer.data == {"firmware": "bios", "program": "ipxe", "uuid": UUID}
    assert {offer.stage, discover.stage} == {Stage.DHCP}


def test_an_ignored_message_makes_one_event_with_the_reason() -> None:
    (event,) = told(1, mac="52:54:00:99:99:99")

    assert (event.name, event.node) == ("dhcp.ignored", None)
    assert "no node has the MAC" in event.message


def test_a_malformed_datagram_is_a_warning_with_its_source() -> None:
    event = malformed("10.0.0.9", "octet 0: 9 is nonsense", 7.0)

    assert (event.name, event.level, event.data) == ("dhcp.malformed", Level.WARNING, {"source": "10.0.0.9"})


def test_the_same_thing_is_told_once_in_a_while() -> None:
    throttle = Throttle(seconds=60)

    assert [throttle.allows("a", now) for now in (0, 1, 59, 60, 61)] == [True, False, False, True, False]
    assert throttle.allows("b", 1)


def test_a_clock_set_back_does_not_silence_for_long() -> None:
    throttle = Throttle(seconds=60)
    throttle.allows("a", 1_000_000)

    assert throttle.allows("a", 5)


def test_forged_sources_do_not_fill_the_memory() -> None:
    throttle = Throttle(seconds=60)
    for number in range(10_000):
        throttle.allows(number, 0)

    assert not throttle.allows(9_999, 0)
    assert throttle.allows(0, 0)
