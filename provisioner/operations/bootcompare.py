"""Two boots side by side: what they booted, how long each stage took, and where they differ most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.events.phases import STAGES, Mark, Phase, phases
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Stage
from provisioner.operations.boots import find


@dataclass(frozen=True, slots=True)
class StagePair:
    """One stage of both boots: milliseconds and bytes, None where a boot did not come through it."""

    stage: str
    first: int | None
    second: int | None
    difference: int | None
    first_bytes: int | None
    second_bytes: int | None


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two boots.

    `differs` holds what they were (node, generation, revision, firmware, loader, state, faults), both values
    each, where these are not equal; `equal` holds the others. `slowest` names the stage in which they
    differ most in time, and `verdict` says it in a sentence.
    """

    first: BootRecord
    second: BootRecord
    differs: Mapping[str, tuple[str, str]]
    equal: Mapping[str, str]
    stages: tuple[StagePair, ...]
    slowest: str | None
    verdict: str


def compare(paths: Paths, first: str, second: str) -> Contrast:
    """Compare two boots, each named by its id, or by a node for its newest boot.

    Raises as `boots.find`.
    """
    boots = find(paths, first), find(paths, second)
    history = History(paths.events)
    events = [history.timeline(boot.id) for boot in boots]
    traits = [_traits(boot, each) for boot, each in zip(boots, events, strict=True)]
    pairs = _pairs(*(phases([_mark(event) for event in each]) for each in events))
    worst = max(
        (pair for pair in pairs if pair.difference), key=lambda pair: abs(pair.difference or 0), default=None
    )
    differs = {key: (traits[0][key], traits[1][key]) for key in traits[0] if traits[0][key] != traits[1][key]}
    equal = {key: value for key, value in traits[0].items() if key not in differs}
    return Contrast(*boots, differs, equal, pairs, worst.stage if worst else None, _verdict(boots, worst))


def _mark(event: Event) -> Mark:
    return Mark(event.name, event.time, event.bytes)


def _traits(boot: BootRecord, events: Sequence[Event]) -> dict[str, str]:
    faults = sum(event.level.value != "info" for event in events)
    return {
        "node": boot.node,
        "state": f"{boot.state}: {boot.reason}" if boot.reason else boot.state,
        "generation": boot.generation,
        "revision": boot.revision[:16],
        "firmware": _first(str(event.data["firmware"]) for event in events if "firmware" in event.data),
        "loader": _first(event.message.partition(" ")[0] for event in events if event.name == "loader.sent"),
        "kernel": _first(str(event.data["kernel"]) for event in events if "kernel" in event.data),
        "faults": str(faults),
    }


def _first(values: Iterable[str]) -> str:
    return next(iter(values), "-")


def _pairs(first: Sequence[Phase], second: Sequence[Phase]) -> tuple[StagePair, ...]:
    left, right = ({phase.stage: phase for phase in each} for each in (first, second))
    return tuple(
        _pair(stage, left.get(stage), right.get(stage)) for stage in STAGES if stage in left or stage in right
    )


def _pair(stage: Stage, first: Phase | None, second: Phase | None) -> StagePair:
    left, right = (None if phase is None else round(phase.seconds * 1000) for phase in (first, second))
    difference = None if left is None or right is None else right - left
    return StagePair(
        stage.value, left, right, difference, first.bytes if first else None, second.bytes if second else None
    )


def _verdict(boots: Sequence[BootRecord], worst: StagePair | None) -> str:
    if worst is None or worst.difference is None:
        return "no stage that both came through took another time"
    slower, faster = (boots[1], boots[0]) if worst.difference > 0 else (boots[0], boots[1])
    times = sorted((worst.first or 0, worst.second or 0))
    return (
        f"the largest difference is in {worst.stage}: {slower.node} ({slower.id}) took {times[1]} ms there, "
        f"{faster.node} ({faster.id}) {times[0]} ms"
    )
