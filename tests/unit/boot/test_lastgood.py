"""Which generation a node gets when its own fails again and again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.boot.lastgood import Outcome, last_good, outcome
from provisioner.boot.ledger import Ledger
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.bootcontrol import Fallback

NOW = 100_000.0


def boot(
    generation: int,
    state: str,
    *,
    opened: float = 1000.0,
    stage: TokenStage = TokenStage.STAGE1,
    reason: str = "",
) -> BootRecord:
    name = f"debian-12@{generation}"
    return BootRecord("b", "n001", "52:54:00:00:00:01", name, "r", opened, stage, state, opened, reason)


READY = boot(1, "superseded", reason="was ready", opened=10.0)
FAILED = boot(2, "failed")
HANGS = boot(2, "superseded")


def found(*boots: BootRecord, attempts: int = 3, since: float = 0.0, gone: Sequence[str] = ()) -> Fallback | None:
    """What a node with these boots, newest first, gets that is assigned to debian-12@2."""
    return last_good(boots, "debian-12@2", attempts, since=since, now=NOW, usable=lambda name: name not in gone)


def test_three_failed_boots_in_a_row_give_the_generation_that_was_ready_before() -> None:
    assert found(FAILED, HANGS, FAILED, READY) == Fallback("debian-12@2", "debian-12@1", NOW, 3)


def test_two_failed_boots_do_not() -> None:
    assert found(FAILED, FAILED, READY) is None


def test_the_number_is_the_nodes_and_none_switches_it_off() -> None:
    assert found(FAILED, READY, attempts=1) is not None
    assert found(*[FAILED] * 50, READY, attempts=0) is None


def test_a_boot_between_them_that_came_up_begins_the_count_anew() -> None:
    for between in (boot(2, "superseded", reason="was ready"), boot(2, "superseded", reason="was degraded: x")):
        assert found(FAILED, FAILED, between, FAILED, FAILED, READY) is None


def test_boots_of_other_generations_between_them_change_nothing() -> None:
    assert found(FAILED, boot(3, "failed"), FAILED, boot(1, "degraded"), FAILED, READY) is not None


def test_boots_before_a_retry_was_asked_for_do_not_count() -> None:
    older = boot(2, "failed", opened=500.0)

    assert found(FAILED, FAILED, older, READY, since=700.0) is None
    assert found(FAILED, FAILED, FAILED, older, READY, since=700.0) is not None


def test_without_a_generation_that_was_ready_nothing_changes() -> None:
    assert found(FAILED, FAILED, FAILED, boot(1, "superseded", reason="was degraded: x")) is None


def test_a_generation_that_is_gone_is_passed_over_for_an_older_one() -> None:
    older = boot(0, "superseded", reason="was ready", opened=5.0)

    fallback = found(FAILED, FAILED, FAILED, READY, older, gone=["debian-12@1"])

    assert fallback is not None
    assert fallback.good == "debian-12@0"


@pytest.mark.parametrize("state", ["script", "stage1", "system"])
def test_a_machine_that_asks_again_has_left_whatever_it_was_doing(state: str) -> None:
    assert outcome(boot(2, state, opened=NOW - 61), NOW) is Outcome.FAILED


def test_to_ask_again_within_a_minute_of_the_script_is_the_same_boot() -> None:
    assert outcome(boot(2, "script", opened=NOW - 59), NOW) is Outcome.OPEN
    assert outcome(boot(2, "stage1", opened=NOW - 59), NOW) is Outcome.FAILED


def test_a_rescue_is_no_failure() -> None:
    assert outcome(boot(2, "rescue"), NOW) is Outcome.RAN
    assert outcome(boot(2, "superseded", reason="was rescue"), NOW) is Outcome.RAN


@given(st.sampled_from(["ready", "degraded", "failed", "rescue", "script", "stage1", "system"]))
def test_the_outcome_of_a_boot_survives_the_next_one_in_the_ledger(state: str) -> None:
    saved: list[BootRecord] = []
    ledger = Ledger(saved.append)
    first = ledger.open(node="n001", mac="m", generation="debian-12@2", revision="r", now=0.0)
    settled = ledger.settle(first, state, now=10.0, reason="what: it said")
    before = outcome(settled, NOW)

    ledger.open(node="n001", mac="m", generation="debian-12@2", revision="r", now=NOW)

    last = [each for each in saved if each.id == first.id][-1]
    assert outcome(last, NOW) is before
