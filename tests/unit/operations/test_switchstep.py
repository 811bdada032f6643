"""How a switch goes on with what is seen of its nodes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.switch import Pace, Switch, SwitchState
from provisioner.operations.switchstep import advance, again, judge, undone
from tests.support.resolved import MAC1, REVISION

NEW, OLD = "rocky-9@2", "centos-7@1"
NOW = 1000.0


def switch(moved: str = "n1", **changes: Any) -> Switch:
    """Four nodes, a canary first and then two at a time, moved at 900."""
    fields = {"to": NEW, "nodes": "n[1-4]", "from": {OLD: "n[1-4]"}, "images": {NEW: moved}, "since": 900}
    return Switch.model_validate({**fields, "pace": Pace(canary=1, batch=2, patience=300), **changes})


def boot(node: str, state: str = "ready", generation: str = NEW, opened: float = 950.0) -> BootRecord:
    return BootRecord("b", node, MAC1, generation, REVISION, opened, TokenStage.SYSTEM, state, opened + 10)


def seen(*boots: BootRecord) -> dict[str, BootRecord]:
    return {each.node: each for each in boots}


def test_a_canary_that_is_ready_lets_the_next_batch_go() -> None:
    after = judge(switch(), seen(boot("n1")), now=NOW)

    assert (after.done, after.moved, after.waiting) == ("n1", ("n1", "n2", "n3"), ("n4",))
    assert (after.state, after.since) == (SwitchState.RUNNING, 1000)


def test_nobody_is_moved_while_a_node_is_open() -> None:
    before = switch("n[1-3]")

    after = judge(before, seen(boot("n1"), boot("n2"), boot("n3", "stage1")), now=NOW)

    assert (after.moved, after.unsettled) == (before.moved, ("n3",))


@pytest.mark.parametrize("generation", [OLD, "rocky-9@1"])
def test_a_node_that_is_ready_with_another_generation_is_not_done(generation: str) -> None:
    assert judge(switch(), seen(boot("n1", generation=generation)), now=NOW) == switch()


@pytest.mark.parametrize("state", ["failed", "degraded"])
def test_a_canary_that_fails_stops_the_switch_with_the_reason(state: str) -> None:
    after = judge(switch(), seen(boot("n1", state)), now=NOW)

    assert (after.state, after.failed, after.moved) == (SwitchState.STOPPED, {"n1": state}, ("n1",))


def test_a_failure_of_before_the_node_was_moved_does_not_count() -> None:
    assert judge(switch(), seen(boot("n1", "failed", opened=800.0)), now=NOW) == switch()


def test_a_node_that_is_not_ready_in_time_has_failed() -> None:
    late = judge(switch(), {}, now=1201.0)

    assert late.failed == {"n1": "not ready after 300 s: no boot of rocky-9@2"}
    assert late.state is SwitchState.STOPPED


def test_a_node_that_cannot_be_restarted_has_failed() -> None:
    assert judge(switch(), {}, now=NOW, refused={"n1": "no route"}).failed == {"n1": "no route"}


def test_more_failures_may_be_allowed_and_the_others_go_on() -> None:
    patient = switch("n[1-3]", pace=Pace(canary=1, batch=2, failures=2), done="n1")

    after = judge(patient, seen(boot("n2"), boot("n3", "failed")), now=NOW)

    assert (after.state, after.moved) == (SwitchState.RUNNING, ("n1", "n2", "n3", "n4"))
    assert after.failed == {"n3": "failed"}


def test_nobody_follows_canaries_that_all_failed_however_many_failures_are_allowed() -> None:
    patient = switch("n1", pace=Pace(canary=1, batch=2, failures=9))

    after = judge(patient, seen(boot("n1", "failed")), now=NOW)

    assert (after.state, after.moved) == (SwitchState.STOPPED, ("n1",))


def test_a_switch_does_not_end_well_while_a_node_has_failed() -> None:
    last = switch("n[1-4]", done="n[1-3]", pace=Pace(failures=2))

    after = judge(last, seen(boot("n4", "failed")), now=NOW)

    assert (after.state, after.failed) == (SwitchState.STOPPED, {"n4": "failed"})


def test_a_node_that_is_moved_is_held_to_nothing_any_more() -> None:
    before = switch("n1", images={NEW: "n1", OLD: "n[2-4]"}, done="n1")

    after = advance(before, now=NOW)

    assert after.images == {NEW: "n[1-3]", OLD: "n4"}


def test_a_node_that_gets_ready_after_its_failure_is_done() -> None:
    before = switch("n[1-4]", done="n[1-3]", failed={"n4": "not ready after 300 s"}, pace=Pace(failures=2))

    after = judge(before, seen(boot("n4", opened=2000.0)), now=2100.0)

    assert (after.failed, after.state, after.done) == ({}, SwitchState.MOVED, "n[1-4]")


def test_a_switch_that_does_not_run_does_not_change() -> None:
    for state in set(SwitchState) - {SwitchState.RUNNING}:
        still = switch(state=state)
        assert judge(still, seen(boot("n1")), now=NOW) == still


def test_going_on_gives_nodes_that_failed_another_chance() -> None:
    stopped = judge(switch(), seen(boot("n1", "failed")), now=NOW)

    resumed = again(stopped, now=1100.0)

    assert (resumed.state, resumed.failed, resumed.unsettled) == (SwitchState.RUNNING, {}, ("n1",))
    assert judge(resumed, seen(boot("n1", "failed")), now=1101.0) == resumed


@pytest.mark.parametrize("state", [SwitchState.RUNNING, SwitchState.PAUSED])
def test_going_on_without_a_failure_takes_the_boots_under_way_for_what_they_are(state: SwitchState) -> None:
    resumed = again(switch(state=state), now=NOW)

    assert judge(resumed, seen(boot("n1", "stage1", opened=920.0)), now=NOW) == resumed
    assert resumed.since == 900
    assert again(switch(state=state), now=5000.0).since == 5000 - 150


def test_taken_back_it_holds_nodes_only_where_it_has_to() -> None:
    assert undone(switch(), {}).images == {}
    assert undone(switch(), {OLD: ["n1"]}).images == {OLD: "n1"}


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 30))
def test_every_node_is_moved_once_and_the_switch_ends(canary: int, batch: int, size: int) -> None:
    going = Switch.model_validate(
        {"to": NEW, "nodes": f"n[1-{size}]", "pace": {"canary": canary, "batch": batch, "patience": 10}}
    )
    going = advance(going, now=NOW)
    assert len(going.moved) == min(canary, size)

    for _ in range(size + 1):
        going = judge(going, seen(*(boot(name) for name in going.moved)), now=NOW)

    assert going.state is SwitchState.MOVED
    assert going.ready == frozenset(going.names) == frozenset(going.moved)
