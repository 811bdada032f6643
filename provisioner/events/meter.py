"""How boots end and how long their stages took, counted since the daemon started; the events file is its source.

It asks the file when somebody wants to know, so the data path pays nothing for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from provisioner.events.history import History
from provisioner.events.phases import SETTLED, STAGES, phases
from provisioner.model.event import Event

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Upper ends of the buckets, in seconds."""

TOTAL = "total"
_UNKNOWN = "unknown"


@dataclass(slots=True)
class Spread:
    """A histogram: how many fell into each bucket (the last one has no upper end), and the sum of all seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class BootMeter:
    """Counts of the boots that ended since it was made.

    `ends` counts by image and by how it ended (ready, degraded, failed), `stages` holds a spread by stage and
    image; images are without their generation, so that there are few.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._seen = history.newest_id()
        self.ends: Counter[tuple[str, str]] = Counter()
        self.stages: defaultdict[tuple[str, str], Spread] = defaultdict(Spread)

    def update(self) -> None:
        """Take in what ended since the last time. Raises IntegrityError when the file cannot be read."""
        found = self._history.ends_after(self._seen)
        if not found:
            return
        self._seen = found[-1].id
        ended = [each.event for each in found if each.event.boot]
        images = self._history.images_of(event.boot or "" for event in ended)
        for event in ended:
            self.ends[images.get(event.boot or "", _UNKNOWN), event.name] += 1
        self._measure([event for event in ended if event.name in SETTLED], images)

    def _measure(self, ended: list[Event], images: dict[str, str]) -> None:
        marks = self._history.marks(event.boot or "" for event in ended)
        for boot, each in marks.items():
            image, found = images.get(boot, _UNKNOWN), phases(each)
            for phase in found:
                self.stages[phase.stage.value, image].add(phase.seconds)
            if found and found[-1].stage is STAGES[-1]:
                self.stages[TOTAL, image].add(sum(phase.seconds for phase in found))
