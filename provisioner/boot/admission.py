"""Who may fetch its root image now: the queue before the link of a network.

Theory of operation. A link carries so many bytes a second. It is given out in slots, few enough that each carries
an image in a sensible time, so the first nodes are done while the last ones still wait, instead of all of them
crawling. A boot that asks gets a slot or a place in the order of first asking; when a slot falls free it is kept
for the first in line whose rack has room too. A boot of a full rack lets others pass, and stays the first of its
rack: nobody starves. A slot outlives a broken transfer for a moment, so that it goes on where it ended; who is not
heard of any more loses slot and place. All of it is forgotten when the daemon stops, which costs only the order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, OrderedDict
from dataclasses import dataclass
from itertools import count
from math import inf

IMAGE_SHARE = 0.9
"""The part of a link that images may fill: scripts, overlays and reports never wait behind them."""

SENSIBLE = 250e6 / 8
"""Bytes a second that a slot is meant to carry."""

PATIENCE = 30.0
"""Seconds after which a place, or a slot without a transfer, that nobody asks for again is given away."""

MOST_SLOTS = 64
_FEWEST_SLOTS = 4
_SOONEST, _LATEST = 2.0, 20.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes a second for images over the link, and over the uplink of each rack; None where it is not limited."""

    link: float | None = None
    rack: float | None = None

    @property
    def slots(self) -> float:
        """How many transfers the link takes at once."""
        return _slots(self.link, _FEWEST_SLOTS)

    @property
    def rack_slots(self) -> float:
        """How many of them one rack takes."""
        return _slots(self.rack, 1)


@dataclass(frozen=True, slots=True)
class Admitted:
    """The transfer may start; `waited` seconds since it was first asked for."""

    waited: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not yet: `place` in the queue from 1, about `seconds` to wait, `again` seconds until it should ask again.

    `near` says that its turn may come at any moment.
    """

    place: int
    seconds: float
    again: float
    near: bool


@dataclass(slots=True)
class _Slot:
    rack: str
    waited: float
    until: float
    transfers: int = 0


@dataclass(slots=True)
class _Place:
    ticket: int
    since: float
    until: float
    size: int


class Line:
    """The slots of one link and the boots that wait for them. A boot is any text; times are seconds."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._tickets = count()
        self._slots: dict[str, _Slot] = {}
        self._taken: Counter[str] = Counter()
        self._queues: dict[str, OrderedDict[str, _Place]] = {}
        # Tickets of all that wait, in order, so that a place is one search.
        self._order: list[int] = []

    def ask(self, boot: str, rack: str, size: int, *, now: float) -> Admitted | Waiting:
        """A slot for an image of `size` bytes, or a place. Asking again changes neither."""
        slot = self._slots.get(boot)
        if slot is None:
            self._wait(boot, rack, size, now)
            self.settle(now)
            slot = self._slots.get(boot)
        if slot is None:
            return self._told(boot, rack, now)
        slot.until = now + PATIENCE
        return Admitted(slot.waited)

    def began(self, boot: str) -> bool:
        """A transfer of an admitted boot starts; no where its slot was given away meanwhile."""
        slot = self._slots.get(boot)
        if slot is not None:
            slot.transfers += 1
        return slot is not None

    def ended(self, boot: str, *, complete: bool, now: float) -> None:
        """A transfer ends. A complete one gives its slot back, a broken one keeps it for a moment."""
        slot = self._slots[boot]
        slot.transfers -= 1
        slot.until = now if complete else now + PATIENCE
        if complete and not slot.transfers:
            self._vacate(boot)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Give free slots to the first in line."""
        while len(self._slots) < self.limits.slots and (first := self._first(now)):
            rack, boot = first
            place = self._leave(rack, boot)
            self._slots[boot] = _Slot(rack, now - place.since, now + PATIENCE)
            self._taken[rack] += 1

    def forget(self, now: float) -> None:
        """Drop places and slots that nobody asks for any more. It looks at every one: once a second will do."""
        for boot in [key for key, slot in self._slots.items() if not slot.transfers and slot.until <= now]:
            self._vacate(boot)
        for rack, queue in list(self._queues.items()):
            for boot in [key for key, place in queue.items() if place.until <= now]:
                self._leave(rack, boot)
        self.settle(now)

    def holds(self, boot: str) -> bool:
        """Whether a boot has a slot."""
        return boot in self._slots

    def rates(self) -> dict[str, float]:
        """Bytes a second for each transfer of the boots under way: they share the link, and their rack."""
        running = {boot: slot for boot, slot in self._slots.items() if slot.transfers}
        racks = Counter(slot.rack for slot in running.values())
        link, rack = self.limits.link or inf, self.limits.rack or inf
        return {
            boot: min(link / len(running), rack / racks[slot.rack] if slot.rack else inf) / slot.transfers
            for boot, slot in running.items()
        }

    def knows(self, boot: str, rack: str) -> bool:
        """Whether a boot has a slot or a place."""
        return boot in self._slots or boot in self._queues.get(rack, ())

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._order)

    @property
    def admitted(self) -> int:
        """How many have a slot."""
        return len(self._slots)

    def _wait(self, boot: str, rack: str, size: int, now: float) -> None:
        place = self._queues.setdefault(rack, OrderedDict()).get(boot)
        if place is None:
            place = self._queues[rack][boot] = _Place(next(self._tickets), now, now, size)
            self._order.append(place.ticket)
        place.until = now + _LATEST + PATIENCE

    def _first(self, now: float) -> tuple[str, str] | None:
        """The boot with the oldest ticket among those whose rack has room."""
        heads = []
        for rack in list(self._queues):
            if rack and self._taken[rack] >= self.limits.rack_slots:
                continue
            if (head := self._head(rack, now)) is not None:
                heads.append(head)
        return min(heads)[1:] if heads else None

    def _head(self, rack: str, now: float) -> tuple[int, str, str] | None:
        while queue := self._queues.get(rack):
            boot, place = next(iter(queue.items()))
            if place.until > now:
                return place.ticket, rack, boot
            self._leave(rack, boot)
        return None

    def _vacate(self, boot: str) -> None:
        rack = self._slots.pop(boot).rack
        self._taken[rack] -= 1
        if not self._taken[rack]:
            del self._taken[rack]

    def _leave(self, rack: str, boot: str) -> _Place:
        queue = self._queues[rack]
        place = queue.pop(boot)
        if not queue:
            del self._queues[rack]
        del self._order[bisect_left(self._order, place.ticket)]
        return place

    def _told(self, boot: str, rack: str, now: float) -> Waiting:
        place = self._queues[rack][boot]
        ahead = bisect_left(self._order, place.ticket)
        # Whoever is under way has half of its image left, on average.
        pending = ahead + self.admitted / 2
        seconds = pending * place.size / self.limits.link if self.limits.link else 0.0
        if rack and self.limits.rack:
            seconds = max(seconds, self._ahead_in(rack, place) * place.size / self.limits.rack)
        again = min(max(seconds / 4, _SOONEST), _LATEST)
        place.until = now + again + PATIENCE
        return Waiting(ahead + 1, seconds, again, near=ahead < self.limits.slots)

    def _ahead_in(self, rack: str, place: _Place) -> float:
        waiting = 0
        for each in self._queues[rack].values():
            if each is place:
                break
            waiting += 1
        return waiting + self._taken[rack] / 2


def _slots(rate: float | None, fewest: int) -> float:
    if rate is None:
        return inf
    return min(max(fewest, int(rate // SENSIBLE)), MOST_SLOTS)
