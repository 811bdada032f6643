"""The queue before a link: never more than it carries, in order, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.boot.admission import PATIENCE, SENSIBLE, Admitted, Limits, Line, Waiting

SIZE = 500_000_000
FOUR = Limits(link=4 * SENSIBLE)
TWO_A_RACK = Limits(link=4 * SENSIBLE, rack=2 * SENSIBLE)


def admitted(line: Line, *boots: str, rack: str = "", now: float = 0.0) -> list[str]:
    """Who of these gets a slot when they ask one after the other, and starts."""
    through = [boot for boot in boots if isinstance(line.ask(boot, rack, SIZE, now=now), Admitted)]
    assert all(line.began(boot) for boot in through)
    return through


def place_of(line: Line, boot: str, rack: str = "", now: float = 0.0) -> int:
    told = line.ask(boot, rack, SIZE, now=now)
    assert isinstance(told, Waiting)
    return told.place


def test_the_first_get_the_slots_and_the_others_a_place_in_order() -> None:
    line = Line(FOUR)

    assert admitted(line, *"abcdef") == list("abcd")

    assert [place_of(line, boot) for boot in "efg"] == [1, 2, 3]


def test_asking_again_changes_no_place() -> None:
    line = Line(FOUR)
    admitted(line, *"abcdefg")

    assert [place_of(line, boot) for boot in "gfegg"] == [3, 2, 1, 3, 3]


def test_a_slot_that_falls_free_goes_to_the_first_in_line_whoever_asks() -> None:
    line = Line(FOUR)
    admitted(line, *"abcdef")

    line.ended("b", complete=True, now=1.0)

    assert place_of(line, "f", now=1.0) == 1
    assert line.holds("e")


def test_a_broken_transfer_keeps_its_slot_for_a_moment() -> None:
    line = Line(FOUR)
    admitted(line, *"abcde")
    line.ended("a", complete=False, now=1.0)
    line.forget(PATIENCE)

    assert place_of(line, "e", now=PATIENCE) == 1
    assert isinstance(line.ask("a", "", SIZE, now=PATIENCE), Admitted)


def test_a_broken_transfer_that_does_not_come_back_loses_its_slot() -> None:
    line = Line(FOUR)
    admitted(line, *"abcde")
    line.ended("a", complete=False, now=1.0)

    line.forget(1.0 + PATIENCE)

    assert line.holds("e")
    assert not line.holds("a")


def test_a_place_that_nobody_asks_for_again_is_given_up() -> None:
    line = Line(FOUR)
    admitted(line, *"abcdef")

    line.forget(1000.0)

    assert line.waiting == 0
    assert place_of(line, "f", now=1000.0) == 1


def test_a_transfer_under_way_never_loses_its_slot() -> None:
    line = Line(FOUR)
    admitted(line, *"abcd")

    line.forget(1e6)

    assert line.admitted == 4


def test_a_full_rack_lets_others_pass_and_stays_first_in_its_own_line() -> None:
    line = Line(TWO_A_RACK)

    assert admitted(line, "a1", "a2", "a3", "a4", rack="a") == ["a1", "a2"]
    assert admitted(line, "b1", rack="b") == ["b1"]

    line.ended("a2", complete=True, now=1.0)
    assert line.holds("a3")
    assert not line.holds("a4")


def test_nodes_without_a_rack_have_only_the_link_in_common() -> None:
    assert admitted(Line(TWO_A_RACK), *"abcde") == list("abcd")


def test_those_under_way_share_the_link_and_their_rack() -> None:
    line = Line(TWO_A_RACK)
    admitted(line, "a1", "a2", rack="a")
    admitted(line, "b1", rack="b")

    rates = line.rates()

    assert rates["a1"] == rates["a2"] == SENSIBLE
    assert rates["b1"] == 4 * SENSIBLE / 3


def test_the_estimate_is_what_is_ahead_over_what_the_link_carries() -> None:
    line = Line(FOUR)
    admitted(line, *"abcde")

    told = line.ask("f", "", SIZE, now=0.0)

    assert isinstance(told, Waiting)
    assert told.seconds == (1 + 4 / 2) * SIZE / (4 * SENSIBLE)


def test_an_unlimited_link_lets_everybody_through_within_the_racks() -> None:
    line = Line(Limits(rack=SENSIBLE))

    assert len(admitted(line, *(str(number) for number in range(500)))) == 500
    assert admitted(line, "x", "y", rack="r1") == ["x"]


def test_what_a_link_carries_is_given_out_in_a_sensible_number_of_slots() -> None:
    of = {gigabits: Limits(link=gigabits * 1e9 / 8 * 0.9).slots for gigabits in (1, 10, 100)}

    assert of == {1: 4, 10: 36, 100: 64}


@dataclass
class World:
    """A line, and boots that ask until they have what they want, or vanish."""

    line: Line
    now: float = 0.0
    running: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)

    def step(self, boot: str, rack: str, what: str) -> None:
        self.now += 1.0
        if what == "ask":
            if isinstance(self.line.ask(boot, rack, SIZE, now=self.now), Admitted) and boot not in self.running:
                assert self.line.began(boot)
                self.running.add(boot)
        elif boot in self.running:
            self.running.discard(boot)
            self.line.ended(boot, complete=what == "done", now=self.now)
        self.line.forget(self.now)


STEPS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["ask", "ask", "ask", "done", "broken"])), max_size=200
)


@given(steps=STEPS)
def test_never_more_than_the_link_and_each_rack_carry(steps: list[tuple[int, str]]) -> None:
    world = World(Line(TWO_A_RACK))
    racks = {str(number): f"r{number % 4}" if number % 5 else "" for number in range(31)}

    for number, what in steps:
        world.step(str(number), racks[str(number)], what)

        rates = world.line.rates()
        assert set(rates) == world.running
        assert len(world.running) <= world.line.admitted <= 4
        assert sum(rates.values()) <= 4 * SENSIBLE * 1.000001
        for rack in ("r0", "r1", "r2", "r3"):
            assert sum(rates[boot] for boot in world.running if racks[boot] == rack) <= 2 * SENSIBLE * 1.000001
            assert sum(racks[boot] == rack for boot in world.running) <= 2


@given(steps=STEPS, size=st.integers(1, 40))
@example(steps=[(number, "ask") for number in (0, 2, 4, 6, 8, 10)], size=1)
def test_whoever_goes_on_asking_gets_through_whatever_the_others_do(
    steps: list[tuple[int, str]], size: int
) -> None:
    world = World(Line(TWO_A_RACK))
    racks = {str(number): f"r{number % 2}" for number in range(31 + size)}
    for number, what in steps:
        world.step(str(number), racks[str(number)], what)
    patient = "30"

    for number in range(31, 31 + size):
        world.step(patient, racks[patient], "ask")
        world.step(str(number), racks[str(number)], "ask")
        for boot in sorted(world.running - {patient}):
            world.step(boot, racks[boot], "done")

    # Who was admitted and vanished keeps a slot for a while, one after the other.
    for _ in range(1000):
        if patient in world.running:
            break
        for boot in sorted(world.running):
            world.step(boot, racks[boot], "done")
        world.step(patient, racks[patient], "ask")
    assert patient in world.running


@given(st.lists(st.integers(0, 60), min_size=1, max_size=120))
def test_a_restart_of_the_daemon_costs_the_order_and_nothing_else(asking: list[int]) -> None:
    before, after = Line(FOUR), Line(FOUR)
    for number in asking:
        before.ask(str(number), "", SIZE, now=0.0)
    for number in reversed(asking):
        after.ask(str(number), "", SIZE, now=1.0)

    assert (after.admitted, after.waiting) == (before.admitted, before.waiting)
