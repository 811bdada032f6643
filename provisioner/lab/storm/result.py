"""What a storm showed: a waterfall of the steps, failures by cause, and how large a head node has to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from provisioner.lab.storm.outcome import Outcome
from provisioner.lab.storm.plan import STEPS
from provisioner.lab.storm.scratch import Sizes

Row = dict[str, str | int | float]
"""One line of a table."""

_BAR = 40
_GIGABIT = 125_000_000
_IMAGE = 500 << 20
_LATE = 0.25
_BUSY = 0.9


@dataclass(frozen=True, slots=True)
class Crowded:
    """One process of clients: seconds of processor time, of the clock, and how late its loop was (p99)."""

    cpu: float
    seconds: float
    late: float

    @property
    def is_bottleneck(self) -> bool:
        """Whether it measured itself more than the head node."""
        return self.late > _LATE or self.cpu > _BUSY * self.seconds


@dataclass(frozen=True, slots=True)
class Bill:
    """What the daemon took: seconds of processor time of front and workers, bytes of memory at most.

    `outages` are the seconds from each kill of the daemon until it served again.
    """

    front: float
    workers: float
    memory: int
    front_memory: int
    outages: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A storm that is over. `sizes` is None for a head node that has images of its own.

    `ready` counts the nodes that the head node's own record calls ready.
    """

    outcomes: Sequence[Outcome]
    crowds: Sequence[Crowded]
    bill: Bill
    seconds: float
    ready: int
    sizes: Sizes | None = None

    @property
    def failed(self) -> list[Outcome]:
        """The nodes that did not get ready for good."""
        return [each for each in self.outcomes if not each.ready]

    @property
    def client_was_bottleneck(self) -> bool:
        """Whether the clients were slower than what they measure."""
        return any(each.is_bottleneck for each in self.crowds)

    def waterfall(self) -> Iterator[Row]:
        """For each step of a boot its begin (median since power-on) and how long it took, in seconds."""
        medians = {step: found for step in STEPS if (found := self._times(step))}
        whole = max((_at(begins, 0.5) + _at(took, 0.5) for begins, took in medians.values()), default=1.0)
        for step, (begins, took) in medians.items():
            begin, middle = _at(begins, 0.5), _at(took, 0.5)
            chart = _bar(begin, middle, whole)
            yield {"step": step, "begins": round(begin, 3), **_percentiles(took), "chart": chart}
        if ready := sorted(each.seconds for each in self.outcomes if each.ready):
            yield {"step": "whole boot", "begins": 0.0, **_percentiles(ready), "chart": ""}

    def _times(self, step: str) -> tuple[Sequence[float], Sequence[float]] | None:
        seen = [each.steps[step] for each in self.outcomes if each.ready and step in each.steps]
        if not seen:
            return None
        return sorted(begin for begin, _ in seen), sorted(took for _, took in seen)

    def causes(self) -> list[Row]:
        """Why boots ended early or nodes failed, most frequent first."""
        found = Counter(cause for each in self.outcomes for cause in each.causes)
        return [{"cause": cause, "times": times} for cause, times in found.most_common()]

    def repeats(self) -> dict[str, int]:
        """What was sent, fetched or started again, in all."""
        counts: Counter[str] = Counter()
        for each in self.outcomes:
            counts.update(each.counts)
        again = sum(bool(each.causes) for each in self.outcomes if each.ready)
        return {**{name: counts[name] for name in ("dhcp", "tftp", "http", "resumed", "waited")}, "started": again}

    def sizing(self) -> list[Row]:
        """Seconds of the head node's processors for so many nodes, as measured here.

        Apart from it, and computed: the minutes that 500 MiB for each node take on links of 1 to 100 Gbit/s.
        """
        return [self._size(count) for count in (100, 1_000, 10_000)]

    def _size(self, count: int) -> Row:
        part = count / max(1, len(self.outcomes))
        front, workers = round(self.bill.front * part, 1), round(self.bill.workers * part, 1)
        minutes = {rate: round(count * _IMAGE / (rate * _GIGABIT) / 60, 1) for rate in (1, 10, 25, 100)}
        links = {f"{rate}gbit": each for rate, each in minutes.items()}
        return {"nodes": count, "front": front, "workers": workers, **links}

    def summary(self) -> Row:
        """The storm in a few numbers."""
        return {
            "nodes": len(self.outcomes),
            "ready": len(self.outcomes) - len(self.failed),
            "failed": len(self.failed),
            "ready_by_record": self.ready,
            "seconds": round(self.seconds, 1),
            "front_cpu_seconds": round(self.bill.front, 1),
            "worker_cpu_seconds": round(self.bill.workers, 1),
            "front_memory_mib": self.bill.front_memory >> 20,
            "memory_mib": self.bill.memory >> 20,
            "outages": " ".join(f"{each:.1f}" for each in self.bill.outages) or "none",
            "client_cpu_seconds": round(sum(each.cpu for each in self.crowds), 1),
            "client_late_p99": round(max((each.late for each in self.crowds), default=0.0), 3),
            "client_was_bottleneck": self.client_was_bottleneck,
        }


def _percentiles(ordered: Sequence[float]) -> dict[str, float]:
    marks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(_at(ordered, part), 3) for name, part in marks.items()}


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def _bar(begins: float, took: float, whole: float) -> str:
    start = min(int(begins / whole * _BAR), _BAR - 1)
    return " " * start + "#" * max(1, round(took / whole * _BAR))
