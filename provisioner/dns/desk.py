"""Where questions are answered from: the zones of the current snapshot, and answers that were made already."""

from __future__ import annotations

from collections.abc import Callable

from provisioner.dns.codec import MAX_QUERY
from provisioner.dns.guard import Standing, Standings
from provisioner.dns.respond import Decision, respond
from provisioner.dns.zone import Zones
from provisioner.model.snapshot import Snapshot

_MOST_ANSWERS = 20_000


class Desk:
    """Decides about messages. `snapshot` gives the current one; `serial` that of a revision's zones.

    The reply to equal questions is equal until the snapshot is another one, but for the number in its first two
    octets. So it is made once: 5,000 nodes that start ask for the same few names.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], serial: Callable[[str], int]) -> None:
        self._current = snapshot
        self._serial = serial
        self._zones: Zones | None = None
        self._standings = Standings()
        self._answers: dict[tuple[bytes, Standing], Decision] = {}

    @property
    def zones(self) -> Zones:
        """The zones of the current snapshot."""
        snapshot = self._current()
        if self._zones is None or self._zones.snapshot is not snapshot:
            self._zones = Zones.of(snapshot, self._serial(snapshot.revision))
            self._answers = {}
        return self._zones

    def standing(self, source: str) -> Standing:
        """What the sender of a packet may do."""
        return self._standings.of(source, self._current())

    def decide(self, data: bytes, standing: Standing, *, tcp: bool = False) -> Decision:
        """What becomes of a message."""
        zones = self.zones
        if tcp:
            return respond(data, zones, standing, tcp=True)
        key = data[2:], standing
        known = self._answers.get(key)
        if known is not None and known.reply is not None:
            return Decision(known.label, data[:2] + known.reply[2:])
        decision = respond(data, zones, standing)
        # What is too long for a query is refused in no time, and would take the memory of ten that are not.
        if decision.reply is not None and len(data) <= MAX_QUERY:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            self._answers[key] = decision
        return decision
