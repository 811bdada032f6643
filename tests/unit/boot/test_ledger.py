"""Boots under way: fixed generation and revision, stages that only go forward."""

from __future__ import annotations

from dataclasses import replace

from provisioner.boot.ledger import RETRY_WINDOW, Ledger
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.trust.token import Claims
from tests.support.resolved import MAC1, REVISION


def opened(ledger: Ledger, now: float, *, revision: str = REVISION) -> BootRecord:
    return ledger.open(node="n001", mac=MAC1, generation="debian-12@1", revision=revision, now=now)


def claims(record: BootRecord, stage: TokenStage = TokenStage.STAGE1) -> Claims:
    holds = record.generation, record.revision
    expires = int(record.opened) + stage.lifetime
    return Claims(record.node, record.mac, record.id, *holds, stage, expires, ("10.0.1.1",))


def test_a_machine_that_asks_again_at_once_goes_on_with_the_same_boot() -> None:
    ledger = Ledger(lambda _: None)

    assert opened(ledger, 100.0) == opened(ledger, 100.0 + RETRY_WINDOW - 1)


def test_a_machine_that_asks_again_later_begins_a_new_boot() -> None:
    ledger = Ledger(lambda _: None)

    assert opened(ledger, 100.0).id != opened(ledger, 100.0 + RETRY_WINDOW + 1).id


def test_a_machine_that_came_further_begins_a_new_boot_however_soon() -> None:
    ledger = Ledger(lambda _: None)
    first = ledger.advance(opened(ledger, 100.0), TokenStage.STAGE1, now=101.0)

    assert opened(ledger, 102.0).id != first.id


def test_a_new_revision_is_a_new_boot_so_that_no_boot_ever_mixes_two() -> None:
    ledger = Ledger(lambda _: None)

    assert opened(ledger, 100.0).id != opened(ledger, 101.0, revision="cd" * 32).id


def test_a_new_boot_ends_the_one_before() -> None:
    saved: list[BootRecord] = []
    ledger = Ledger(saved.append)
    first = opened(ledger, 100.0)

    opened(ledger, 500.0)

    assert replace(first, state="superseded") in saved
    assert ledger.find(claims(first)) is None


def test_stages_only_go_forward() -> None:
    ledger = Ledger(lambda _: None)
    record = ledger.advance(opened(ledger, 100.0), TokenStage.SYSTEM, now=101.0)

    assert ledger.advance(record, TokenStage.STAGE1, now=102.0).stage is TokenStage.SYSTEM


def test_a_boot_that_was_never_written_down_is_adopted_from_its_token() -> None:
    record = opened(Ledger(lambda _: None), 100.0)
    restarted = Ledger(lambda _: None)

    adopted = restarted.find(claims(record))

    assert adopted is not None
    assert (adopted.id, adopted.generation, adopted.revision) == (record.id, record.generation, record.revision)
    assert adopted.stage is TokenStage.STAGE1


def test_a_boot_that_is_adopted_from_the_token_of_its_stream_can_still_finish_stage_1() -> None:
    record = opened(Ledger(lambda _: None), 100.0)

    adopted = Ledger(lambda _: None).find(claims(record, TokenStage.STREAM))

    assert adopted is not None
    assert (adopted.stage, adopted.opened) == (TokenStage.STAGE1, record.opened)


def test_a_restarted_daemon_goes_on_with_the_boots_that_it_wrote_down() -> None:
    saved: list[BootRecord] = []
    record = opened(Ledger(saved.append), 100.0)

    assert Ledger(lambda _: None, saved).find(claims(record)) == record


def test_a_boot_that_another_head_node_opened_later_is_adopted() -> None:
    ours, theirs = Ledger(lambda _: None), Ledger(lambda _: None)
    earlier = opened(ours, 100.0)
    later = opened(theirs, 500.0)

    adopted = ours.find(claims(later))

    assert adopted is not None
    assert adopted.id == later.id
    assert ours.find(claims(earlier)) is None


def test_a_boot_that_another_head_node_opened_earlier_is_over() -> None:
    ours, theirs = Ledger(lambda _: None), Ledger(lambda _: None)
    earlier = opened(theirs, 100.0)
    opened(ours, 500.0)

    assert ours.find(claims(earlier)) is None


def left(ledger: Ledger, now: float) -> BootRecord:
    return ledger.leave(node="n001", mac=MAC1, revision=REVISION, reason="own disk", now=now)


def test_a_machine_that_boots_its_own_disk_ends_what_it_booted_before() -> None:
    saved: list[BootRecord] = []
    ledger = Ledger(saved.append)
    before = opened(ledger, 100.0)

    local = left(ledger, 200.0)

    assert (local.state, local.generation, local.reason) == ("local", "", "own disk")
    assert (before.id, "superseded") in [(each.id, each.state) for each in saved]
    assert ledger.find(claims(before)) is None
    assert ledger.current(MAC1) == local


def test_a_machine_that_asks_for_its_own_disk_again_at_once_is_noted_once() -> None:
    ledger = Ledger(lambda _: None)

    assert left(ledger, 100.0) == left(ledger, 100.0 + RETRY_WINDOW - 1)
    assert left(ledger, 100.0) != left(ledger, 101.0 + RETRY_WINDOW)
    assert opened(ledger, 200.0).generation == "debian-12@1"
