"""What forwarders replied, kept for as long as they allow and as there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from provisioner.dns.codec import Query
from provisioner.dns.passage import Passage

Key = tuple[bytes, bool, bool]

_LONGEST_BODY = 4096


def key_of(query: Query) -> Key:
    """Queries with one key may get one reply: name, type and class, and what is asked about signatures."""
    signatures = bool(query.edns and query.edns.wants_signatures)
    return query.asked.lower(), signatures, query.checking_disabled


@dataclass(frozen=True, slots=True)
class _Kept:
    passage: Passage
    since: float


class Cache:
    """At most `most` replies; the one that was asked for longest ago goes first. `now` gives seconds."""

    def __init__(self, now: Callable[[], float], *, most: int = 10_000) -> None:
        self._now = now
        self._most = most
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    def __len__(self) -> int:
        """How many replies are kept, those that are too old included."""
        return len(self._kept)

    def get(self, key: Key) -> tuple[Passage, int] | None:
        """A reply that may still be given, and its age in whole seconds."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        age = self._now() - kept.since
        if not 0 <= age < kept.passage.seconds:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return kept.passage, int(age)

    def put(self, key: Key, passage: Passage) -> None:
        """Keep a reply, if it may be kept at all."""
        if passage.seconds <= 0 or len(passage.body) > _LONGEST_BODY:
            return
        self._kept[key] = _Kept(passage, self._now())
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
