"""When it is time for the next loader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.boot.attempts import Attempts

MAC = "52:54:00:00:00:01"


def after(*times: float) -> Attempts:
    attempts = Attempts()
    for now in times:
        attempts.gave(MAC, now=now)
    return attempts


def test_a_loader_has_its_tries_before_the_next_one_has_its_turn() -> None:
    assert [after(*range(0, 100 * count, 100)).step(MAC) for count in range(5)] == [0, 0, 1, 1, 2]


def test_the_first_request_after_tries_in_vain_is_told() -> None:
    attempts = Attempts()

    assert [attempts.gave(MAC, now=now) for now in range(0, 600, 100)] == [False, False, True, False, True, False]


def test_a_request_that_is_repeated_at_once_is_one_attempt() -> None:
    assert after(0.0, 1.0, 3.0, 4.5).step(MAC) == 0


def test_what_came_to_its_script_stays() -> None:
    attempts = after(0, 100, 200)
    attempts.arrived(MAC)
    assert attempts.step(MAC) == 1
    attempts.gave(MAC, now=300)
    attempts.arrived(MAC)

    assert attempts.step(MAC) == 1


def test_a_machine_that_asks_for_its_script_alone_was_given_nothing() -> None:
    attempts = Attempts()
    attempts.arrived(MAC)

    assert attempts.step(MAC) == 0


@given(st.lists(st.booleans(), max_size=60))
def test_a_machine_keeps_the_loader_that_came_to_its_script(gave: list[bool]) -> None:
    attempts, given = Attempts(), 0
    for number, is_given in enumerate(gave):
        if is_given:
            given = attempts.step(MAC)
            attempts.gave(MAC, now=number * 100.0)
        else:
            attempts.arrived(MAC)
            assert attempts.step(MAC) == given


def test_a_loader_is_under_way_from_the_answer_of_dhcp_on_for_a_while_and_after_its_script_too() -> None:
    attempts = after(1000.0)
    attempts.arrived(MAC)

    assert [attempts.is_under_way(MAC, now=now) for now in (1000.0, 1899.0, 1900.0)] == [True, True, False]
    assert not attempts.is_under_way("52:54:00:00:00:02", now=1000.0)


def test_machines_that_were_not_heard_of_for_long_are_forgotten() -> None:
    attempts = after(0, 100)
    for number in range(70_000):
        attempts.gave(f"{number}", now=200.0)

    assert attempts.step(MAC) == 0
