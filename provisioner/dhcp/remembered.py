"""Answers that are ready to be given again: whoever asks the same thing of the same site gets the same octets.

The policy is pure, so an answer that follows from the message and the site alone need not be worked out twice. A
machine repeats itself: it asks again when an answer is lost, at every boot, and whenever it renews its lease.
"""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.dhcp.reply import Target
from provisioner.model.address import MacAddress
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event
from provisioner.model.snapshot import Snapshot

# Where a message differs from its repetition: the transaction (xid), and the seconds since the client began
# (secs). No answer depends on them.
_XID = slice(4, 8)
_BEFORE = 4
_AFTER_SECS = 10

# What a machine asks while it boots: firmware, iPXE, and the running system, which renews later.
_OF_A_MACHINE = 4
_AT_LEAST = 1024


@dataclass(frozen=True, slots=True)
class Finished:
    """An encoded reply, where it goes, and the events that are told of it at whatever time; `name` counts it.

    `drop` is the machine whose lease of the pool ends, because it has an address of its own. `loads` is the
    machine whose firmware it sends to a loader, after so many others in vain (`step`).
    """

    reply: bytes
    target: Target
    name: str
    events: tuple[Event, ...]
    drop: MacAddress | None = None
    loads: MacAddress | None = None
    step: int = 0


class Remembered:
    """Finished answers by the octets of what was asked. They go when the site or its images are others.

    Bounded by the machines of the site (a kilobyte and a half an answer, at most eight of a machine), because a
    forged message is a new one each time: two generations, of which the older goes when the younger is full. What
    is asked for moves to the younger one, so what is in use stays.
    """

    def __init__(self) -> None:
        self._most = _AT_LEAST
        self._young: dict[bytes, Finished] = {}
        self._old: dict[bytes, Finished] = {}
        self._site: tuple[Snapshot, Catalogue] | None = None

    def find(self, data: bytes, snapshot: Snapshot, catalogue: Catalogue) -> Finished | None:
        """The answer to a datagram, if an equal one was answered from this very site."""
        if self._site is None or self._site[0] is not snapshot or self._site[1] is not catalogue:
            self._young, self._old = {}, {}
            self._site = (snapshot, catalogue)
            self._most = max(_AT_LEAST, _OF_A_MACHINE * len(snapshot.by_mac))
            return None
        key = _key(data)
        found = self._young.get(key)
        if found is None and (found := self._old.pop(key, None)) is not None:
            self._put(key, found)
        return found

    def keep(self, data: bytes, finished: Finished) -> None:
        """Remember the answer to a datagram for the site that was named to `find` last."""
        self._put(_key(data), finished)

    def _put(self, key: bytes, finished: Finished) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = finished


def readdressed(reply: bytes, data: bytes) -> bytes:
    """A reply with the transaction of another datagram that asks the same."""
    return reply[:_BEFORE] + data[_XID] + reply[_BEFORE + 4 :]


def _key(data: bytes) -> bytes:
    return data[:_BEFORE] + data[_AFTER_SECS:]
