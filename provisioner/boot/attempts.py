"""How often firmware was given a loader and did not come to a script: when it is time for the next loader.

Firmware tells nobody why a loader does not start (Secure Boot refuses it, a driver hangs). What the head node sees
is that the machine asks for a loader again, and never for its script.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

TRIES = 2
"""How often a loader is given before the next one has its turn."""

SAME_ATTEMPT = 5.0
"""Seconds in which a repeated request is the same attempt: its answer was lost."""

UNDER_WAY = 900.0
"""Seconds that a loader may take until it asks for the script."""

_MOST = 65536


@dataclass(slots=True)
class _Machine:
    step: int = 0
    given: int = 0
    last: float = float("-inf")


class Attempts:
    """By MAC, in memory: after a restart of the daemon each machine begins with the first loader again.

    Bounded: whoever was heard of the longest time ago is forgotten.
    """

    def __init__(self) -> None:
        self._machines: OrderedDict[str, _Machine] = OrderedDict()

    def step(self, mac: str) -> int:
        """How many loaders of the order to leave out for this machine."""
        found = self._machines.get(mac)
        return found.step + found.given // TRIES if found else 0

    def gave(self, mac: str, *, now: float) -> bool:
        """Firmware got an address and the name of a loader; whether the one before had its tries in vain."""
        found = self._machines.setdefault(mac, _Machine())
        self._machines.move_to_end(mac)
        if len(self._machines) > _MOST:
            self._machines.popitem(last=False)
        is_new = now - found.last > SAME_ATTEMPT
        found.last = now
        found.given += is_new
        return is_new and found.given > TRIES and found.given % TRIES == 1

    def is_under_way(self, mac: str, *, now: float) -> bool:
        """Whether firmware was sent to a loader lately, so that what it loaded may ask for its script."""
        found = self._machines.get(mac)
        return found is not None and now - found.last < UNDER_WAY

    def arrived(self, mac: str) -> None:
        """The machine asks for its script: what it got last works, and stays what it gets."""
        found = self._machines.get(mac)
        if found is not None and found.given:
            found.step += (found.given - 1) // TRIES
            found.given = 0
