from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.tftp.wheel import TICK, Wheel


class Loop:
    """An event loop whose clock moves when it is told; it does one thing after the other."""

    def __init__(self) -> None:
        self.time = 0.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self._number += 1
        self._calls.append((self.time + seconds, self._number, call))

    @property
    def idle(self) -> bool:
        return not self._calls

    def step(self) -> None:
        """Move on to the next call, and make it."""
        due = min(self._calls, key=lambda each: each[:2])
        self._calls.remove(due)
        self.time = due[0]
        due[2]()


class Sleeper:
    """Notes when it was woken, and sleeps again so often."""

    def __init__(self, loop: Loop, wheel: Wheel, seconds: float, times: int = 1) -> None:
        self.slot = 0
        self.woken: list[float] = []
        self._loop, self._wheel, self._seconds, self._times = loop, wheel, seconds, times
        wheel.put(self, seconds)

    def wake(self) -> None:
        self.woken.append(self._loop.time)
        if len(self.woken) < self._times:
            self._wheel.put(self, self._seconds)


def run(loop: Loop) -> None:
    for _ in range(100_000):
        if loop.idle:
            return
        loop.step()
    raise AssertionError("the wheel turns for ever")


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 3)), max_size=30))
def test_everybody_is_woken_not_before_its_time_and_soon_after(orders: list[tuple[float, int]]) -> None:
    loop = Loop()
    wheel = Wheel(loop.later)
    sleepers = [Sleeper(loop, wheel, seconds, times) for seconds, times in orders]

    run(loop)

    for sleeper, (seconds, times) in zip(sleepers, orders, strict=True):
        before = 0.0
        assert len(sleeper.woken) == times
        for woken in sleeper.woken:
            assert seconds - 1e-9 <= woken - before <= seconds + 2 * TICK + 1e-6
            before = woken


def test_the_wheel_stands_still_while_nobody_waits() -> None:
    loop = Loop()
    wheel = Wheel(loop.later)
    Sleeper(loop, wheel, 1.0)
    run(loop)

    stood_at = wheel.now
    assert loop.idle
    late = Sleeper(loop, wheel, 1.0)
    run(loop)
    assert late.woken
    assert wheel.now > stood_at


def test_who_is_dropped_is_not_woken_and_leaves_nothing_behind() -> None:
    loop = Loop()
    wheel = Wheel(loop.later)
    stays, goes = Sleeper(loop, wheel, 1.0), Sleeper(loop, wheel, 1.0)

    wheel.drop(goes)
    wheel.drop(goes)
    assert wheel.sleeping == 1
    wheel.drop(stays)
    run(loop)

    assert wheel.sleeping == 0
    assert stays.woken == goes.woken == []


def test_a_crowd_is_woken_in_small_parties_with_room_for_others_between() -> None:
    loop = Loop()
    wheel = Wheel(loop.later)
    sleepers = [Sleeper(loop, wheel, 1.0) for _ in range(1000)]
    parties = []
    while not loop.idle:
        before = sum(len(each.woken) for each in sleepers)
        loop.step()
        parties.append(sum(len(each.woken) for each in sleepers) - before)

    assert sum(parties) == 1000
    assert max(parties) <= 64


def test_one_that_fails_does_not_leave_the_others_asleep() -> None:
    class Failing(Sleeper):
        def wake(self) -> None:
            super().wake()
            raise KeyError("gone")

    loop = Loop()
    wheel = Wheel(loop.later)
    Failing(loop, wheel, 0.1)
    others = [Sleeper(loop, wheel, 0.1, times=2) for _ in range(100)]
    with pytest.raises(KeyError):
        run(loop)
    run(loop)

    assert {len(each.woken) for each in others} == {2}
