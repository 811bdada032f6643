"""The access rule: every stage against every resource, and time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.boot.access import Denied, Resource, access
from provisioner.boot.ledger import REPEAT_WINDOW
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Level
from provisioner.trust.token import Claims
from tests.support.resolved import MAC1, REVISION

OPEN = {
    (TokenStage.SCRIPT, Resource.KERNEL),
    (TokenStage.SCRIPT, Resource.STAGE1),
    (TokenStage.STAGE1, Resource.SHEET),
    (TokenStage.STAGE1, Resource.ROOT),
    (TokenStage.STAGE1, Resource.SYSTEM_OVERLAY),
    (TokenStage.STAGE1, Resource.REPORT),
    (TokenStage.SYSTEM, Resource.RUNTIME_OVERLAY),
    (TokenStage.SYSTEM, Resource.REPORT),
}


def record(stage: TokenStage, *, changed: float = 100.0) -> BootRecord:
    return BootRecord("b1", "n001", MAC1, "debian-12@1", REVISION, 50.0, stage, stage.value, changed)


def claims(stage: TokenStage) -> Claims:
    return Claims("n001", MAC1, "b1", "debian-12@1", REVISION, stage, 9999)


@pytest.mark.parametrize("stage", list(TokenStage))
@pytest.mark.parametrize("resource", list(Resource))
def test_a_token_opens_what_its_stage_needs_and_nothing_else(stage: TokenStage, resource: Resource) -> None:
    denied = access(claims(stage), record(stage), resource, now=100.0)

    assert (denied is None) == ((stage, resource) in OPEN)


@pytest.mark.parametrize(("stage", "resource"), sorted(OPEN))
@pytest.mark.parametrize("reached", list(TokenStage))
def test_a_token_of_a_closed_stage_is_an_alarm(stage: TokenStage, resource: Resource, reached: TokenStage) -> None:
    denied = access(claims(stage), record(reached), resource, now=100.0 + REPEAT_WINDOW)

    closed = list(TokenStage).index(reached) > list(TokenStage).index(stage)
    assert (denied is not None) == closed
    if denied:
        assert denied == Denied(f"stage {stage} of boot b1 is closed", Level.ALARM)


def test_a_closing_report_may_be_repeated_for_a_minute() -> None:
    stage = claims(TokenStage.STAGE1)
    closed = record(TokenStage.SYSTEM, changed=100.0)

    assert access(stage, closed, Resource.REPORT, now=100.0 + REPEAT_WINDOW - 1) is None
    assert access(stage, closed, Resource.ROOT, now=100.0) is not None


def test_a_token_of_an_earlier_boot_is_an_alarm() -> None:
    denied = access(claims(TokenStage.SYSTEM), None, Resource.REPORT, now=100.0)

    assert denied is not None
    assert "booted again" in denied.reason


@pytest.mark.parametrize("resource", [Resource.SHEET, Resource.ROOT, Resource.SYSTEM_OVERLAY])
def test_a_boot_that_has_failed_gets_nothing_more(resource: Resource) -> None:
    failed = replace(record(TokenStage.STAGE1), state="failed")

    assert access(claims(TokenStage.STAGE1), failed, resource, now=100.0) is not None
    assert access(claims(TokenStage.STAGE1), failed, Resource.REPORT, now=100.0) is None
