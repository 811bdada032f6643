"""May the holder of this token have that, now? One function for every fetch and report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from provisioner.boot.ledger import REPEAT_WINDOW
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Level
from provisioner.trust.token import Claims


class Resource(StrEnum):
    """What a token can open."""

    KERNEL = "kernel"
    STAGE1 = "stage1"
    SHEET = "sheet"
    ROOT = "root"
    SYSTEM_OVERLAY = "overlay/system"
    RUNTIME_OVERLAY = "overlay/runtime"
    REPORT = "report"


_OPENS = {
    TokenStage.SCRIPT: {Resource.KERNEL, Resource.STAGE1},
    TokenStage.STAGE1: {Resource.SHEET, Resource.ROOT, Resource.SYSTEM_OVERLAY, Resource.REPORT},
    TokenStage.SYSTEM: {Resource.RUNTIME_OVERLAY, Resource.REPORT},
}


@dataclass(frozen=True, slots=True)
class Denied:
    """No, and why. An alarm is a request that no honest node makes."""

    reason: str
    level: Level = Level.ALARM


def access(claims: Claims, record: BootRecord | None, resource: Resource, *, now: float) -> Denied | None:
    """None where the request is right, else the reason why not.

    The token must open the resource, belong to the newest boot of its machine, and its stage must be open. A
    report that closed a stage may be repeated for a minute, because its answer may get lost; not any more once
    the next stage has reported, because then the answer has arrived. A boot that has failed gets nothing more.
    """
    if resource not in _OPENS[claims.stage]:
        return Denied(f"a token of stage {claims.stage} does not open {resource}")
    if record is None:
        return Denied(f"boot {claims.boot} of {claims.node} is over: the machine has booted again since")
    if record.state == "failed" and claims.stage is not TokenStage.SYSTEM and resource is not Resource.REPORT:
        return Denied(f"boot {claims.boot} of {claims.node} has failed")
    order = list(TokenStage)
    if order.index(claims.stage) >= order.index(record.stage):
        return None
    next_is_silent = record.state == record.stage.value
    if resource is Resource.REPORT and next_is_silent and now - record.changed < REPEAT_WINDOW:
        return None
    return Denied(f"stage {claims.stage} of boot {claims.boot} is closed")
