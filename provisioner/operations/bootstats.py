"""How long the stages of boots take: percentiles over many boots, by image or by hardware model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.events.history import History
from provisioner.events.phases import STAGES, Mark, phases
from provisioner.events.search import BootFilter
from provisioner.model.boot import BootRecord
from provisioner.operations.hardware import models_of

MOST = 20_000
"""How many boots are looked at, at most: the newest."""

TOTAL = "total"
_SETTLED = ("ready", "degraded", "superseded")


class Grouping(StrEnum):
    """What boots are told apart by."""

    ALL = "all"
    IMAGE = "image"
    GENERATION = "generation"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class StageTimes:
    """One stage of the boots of one group: how many they are, percentiles and the longest in seconds.

    `stage` is `total` for the whole boot. `slowest` is the boot that took longest.
    """

    group: str
    stage: str
    boots: int
    p50: float
    p90: float
    p99: float
    longest: float
    slowest: str
    bytes: int


def stage_times(
    paths: Paths, by: Grouping, *, nodes: Sequence[str] | None = None, since: float | None = None
) -> list[StageTimes]:
    """The stages of finished boots, in their order, group by group.

    A boot counts once its system reported; `nodes` and `since` (Unix seconds) narrow it. Raises NotFoundError when
    there is none.
    """
    history = History(paths.events)
    boots = history.find_boots(BootFilter(nodes=nodes, states=_SETTLED, since=since, limit=MOST))
    marks = history.marks(boot.id for boot in boots)
    key = _key(paths, by)
    spent: defaultdict[tuple[str, str], list[_Spent]] = defaultdict(list)
    for boot in boots:
        for stage, one in _spent(boot, marks.get(boot.id, [])):
            spent[key(boot), stage].append(one)
    if not spent:
        raise NotFoundError("no boot is finished", hint="prov boot list shows those under way")
    order = [stage.value for stage in STAGES] + [TOTAL]
    return [_times(*each, spent[each]) for each in sorted(spent, key=lambda each: (each[0], order.index(each[1])))]


@dataclass(frozen=True, slots=True)
class _Spent:
    seconds: float
    boot: str
    bytes: int


def _spent(boot: BootRecord, marks: Sequence[Mark]) -> list[tuple[str, _Spent]]:
    """The stages of a boot that came to its end; of one that did not, nothing."""
    found = phases(marks)
    if not found or found[-1].stage is not STAGES[-1]:
        return []
    total = _Spent(sum(each.seconds for each in found), boot.id, sum(each.bytes for each in found))
    return [*((each.stage.value, _Spent(each.seconds, boot.id, each.bytes)) for each in found), (TOTAL, total)]


def _times(group: str, stage: str, spent: Sequence[_Spent]) -> StageTimes:
    ordered = sorted(spent, key=lambda each: each.seconds)
    seconds = [each.seconds for each in ordered]
    return StageTimes(
        group=group,
        stage=stage,
        boots=len(ordered),
        p50=percentile(seconds, 50),
        p90=percentile(seconds, 90),
        p99=percentile(seconds, 99),
        longest=seconds[-1],
        slowest=ordered[-1].boot,
        bytes=sum(each.bytes for each in ordered) // len(ordered),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of some ordered numbers that at least `share` percent are not above (nearest rank)."""
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


class _Key:
    """What a boot is told apart by."""

    def __init__(self, by: Grouping, models: Mapping[str, str]) -> None:
        self._by = by
        self._models = models

    def __call__(self, boot: BootRecord) -> str:
        match self._by:
            case Grouping.IMAGE:
                return boot.generation.partition("@")[0]
            case Grouping.GENERATION:
                return boot.generation
            case Grouping.MODEL:
                return self._models.get(boot.node, "unknown")
            case Grouping.ALL:
                return "all"


def _key(paths: Paths, by: Grouping) -> _Key:
    return _Key(by, models_of(paths) if by is Grouping.MODEL else {})
