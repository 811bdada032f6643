"""The phases of one boot: how long each stage took, and what was sent in it, told from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from provisioner.model.event import Stage

# What ends each stage. A stage begins where the one before it that was seen ended, so the phases of a boot add up
# to the whole of it, pauses and retries included.
_ENDS: Mapping[Stage, frozenset[str]] = {
    Stage.DHCP: frozenset({"dhcp.ack"}),
    Stage.LOADER: frozenset({"loader.sent"}),
    Stage.SCRIPT: frozenset({"script.boot"}),
    # An image that is its own initramfs comes in the place of stage 1, and one program in the place of both.
    Stage.KERNEL: frozenset({"stage1.sent", "archive.sent", "uki.sent"}),
    Stage.STAGE1: frozenset({"stage1.started"}),
    Stage.IMAGE: frozenset({"image.verified"}),
    Stage.OVERLAY: frozenset({"overlay.applied"}),
    Stage.HANDOVER: frozenset({"handover.done"}),
    Stage.SYSTEM: frozenset({"ready", "degraded"}),
}
STAGES = tuple(_ENDS)
"""The stages that take time, in their order."""

MILESTONES = frozenset().union(*_ENDS.values())
"""Names of the events that end a stage."""

SETTLED = _ENDS[Stage.SYSTEM]
"""Names of the events that end a boot well enough for its phases to be whole."""


class Mark(NamedTuple):
    """What phases are told from of an event: its name, its time in Unix seconds, and the bytes it sent."""

    name: str
    time: float
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Phase:
    """A stage of one boot: how many seconds it took, and the bytes that were sent meanwhile."""

    stage: Stage
    seconds: float
    bytes: int


def phases(events: Sequence[Mark]) -> tuple[Phase, ...]:
    """The phases of a boot whose events are given in order of time; a stage that was not seen to end is left out.

    The first stage begins with the first event.
    """
    if not events:
        return ()
    ended: list[Phase] = []
    began, sent, left = events[0].time, 0, list(STAGES)
    for event in events:
        sent += event.bytes or 0
        stage = _ended_by(event.name, left)
        if stage is None:
            continue
        left = left[left.index(stage) + 1 :]
        ended.append(Phase(stage, max(0.0, event.time - began), sent))
        began, sent = event.time, 0
    return tuple(ended)


def _ended_by(name: str, left: Iterable[Stage]) -> Stage | None:
    return next((stage for stage in left if name in _ENDS[stage]), None)
