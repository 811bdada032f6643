"""The limiter: a flood of alarms is counted, everything else passes."""

from __future__ import annotations

from provisioner.events.limit import LimitedSink
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
