"""Which generation a node gets when its own fails again and again. Pure, from the history of its boots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum

from provisioner.boot.ledger import RETRY_WINDOW, WAS
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.bootcontrol import Fallback


class Outcome(Enum):
    """What became of a boot: the node was ready, it ran all the same, it failed, or it may still go on."""

    READY = "ready"
    RAN = "ran"
    FAILED = "failed"
    OPEN = "open"


def outcome(record: BootRecord, now: float) -> Outcome:
    """What became of a boot whose machine asks for its script now, or did later.

    A machine that asks again has left what it was doing: a boot that was neither ready, degraded nor a rescue by
    then failed, wherever it stood. To ask again within the minute of the script is the same boot.
    """
    last = record.reason.partition(":")[0].removeprefix(WAS) if record.state == "superseded" else record.state
    if last == "ready":
        return Outcome.READY
    if last in {"degraded", "rescue"}:
        return Outcome.RAN
    is_retry = record.state == TokenStage.SCRIPT.value and now - record.opened < RETRY_WINDOW
    return Outcome.OPEN if is_retry else Outcome.FAILED


def last_good(
    boots: Sequence[BootRecord],
    assigned: str,
    attempts: int,
    *,
    since: float,
    now: float,
    usable: Callable[[str], bool],
) -> Fallback | None:
    """What a node boots in the place of the generation `assigned` (NAME@NUMBER); None where it boots that.

    `boots` are those of the node, newest first; those opened before `since` do not count as failed. So many
    attempts have to fail one after the other; boots of other generations between them change nothing. `usable`
    says whether a generation is still there. Nothing is done where no other one was ever ready.
    """
    failed = sum(1 for _ in _failures(boots, assigned, since, now))
    if not attempts or failed < attempts:
        return None
    others = (each for each in boots if each.generation != assigned and outcome(each, now) is Outcome.READY)
    good = next((each.generation for each in others if usable(each.generation)), None)
    return Fallback(assigned, good, now, failed) if good else None


def _failures(boots: Sequence[BootRecord], assigned: str, since: float, now: float) -> Iterator[BootRecord]:
    for record in boots:
        if record.generation != assigned:
            continue
        found = outcome(record, now)
        if record.opened < since or found in {Outcome.READY, Outcome.RAN}:
            return
        if found is Outcome.FAILED:
            yield record
