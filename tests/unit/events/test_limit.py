"""The limiter: a flood of alarms is counted, everything else passes."""

from __future__ import annotations

from provisioner.events.limit import MOST_OF_STRANGERS, LimitedSink
from provisioner.model.event import Event, Level, Stage


def alarm(address: str = "10.0.0.9", level: Level = Level.ALARM) -> Event:
    return Event(0.0, Stage.SITE, "access.denied", "refused", level, address=address)


def test_a_flood_of_one_sender_is_cut_after_some_and_says_so() -> None:
    seen: list[Event] = []
    sink = LimitedSink(seen.append, lambda: 0.0)

    for _ in range(100):
        sink(alarm())

    assert len(seen) == 11
    assert "only counted" in seen[-1].message


def test_other_senders_are_still_heard() -> None:
    seen: list[Event] = []
    sink = LimitedSink(seen.append, lambda: 0.0)
    for _ in range(100):
        sink(alarm())

    sink(alarm("10.0.0.10"))

    assert seen[-1].address == "10.0.0.10"


def test_after_a_while_the_same_sender_is_heard_again() -> None:
    clock = [0.0]
    seen: list[Event] = []
    sink = LimitedSink(seen.append, lambda: clock[0])
    for _ in range(100):
        sink(alarm())
    clock[0] = 61.0

    sink(alarm())

    assert len(seen) == 12


def test_ordinary_events_are_held_back_only_far_above_what_a_boot_makes() -> None:
    seen: list[Event] = []
    sink = LimitedSink(seen.append, lambda: 0.0)

    for _ in range(10_000):
        sink(alarm(level=Level.INFO))

    assert len(seen) == 201


def asked(mac: str, node: str | None = None) -> Event:
    return Event(0.0, Stage.DHCP, "dhcp.offer", "an address of the pool", mac=mac, node=node)


def test_made_up_machines_are_cut_together_and_nodes_are_still_heard() -> None:
    clock = [0.0]
    seen: list[Event] = []
    sink = LimitedSink(seen.append, lambda: clock[0])
    most = MOST_OF_STRANGERS[Level.INFO]
    for number in range(2 * most):
        sink(asked(f"made up {number}"))

    assert len(seen) == most + 1
    assert "only counted" in seen[-1].message

    sink(asked("52:54:00:77:00:10", "n001"))
    sink(alarm())
    assert [each.name for each in seen[most + 1 :]] == ["dhcp.offer", "access.denied"]

    clock[0] = 61.0
    sink(asked("another one"))
    assert seen[-1].mac == "another one"


def test_more_senders_than_are_remembered_do_not_begin_the_count_of_strangers_again() -> None:
    seen: list[Event] = []
    sink = LimitedSink(seen.append, lambda: 0.0)

    for number in range(150_000):
        sink(asked(f"made up {number}"))

    assert len(seen) == MOST_OF_STRANGERS[Level.INFO] + 1
