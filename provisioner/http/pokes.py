"""Nodes that wait for news of their runtime overlays, and who tells them to look.

A node asks, and the answer is held back until the revision changes or somebody pushes: no port is open on any
node, and an edit reaches it within a second. Nothing but "look again" is ever told; what it gets is decided when
it asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

PUSH_SECONDS = 5.0
"""A node is told to look at most once in this time."""

_LOOK = 0.5
# Ten thousand nodes are woken over five seconds, and a batch of answers takes the loop about two milliseconds:
# boots and other requests go on in between.
_BATCH = 25
_PAUSE = _BATCH / 2000


@dataclass(frozen=True, slots=True)
class Push:
    """Names of nodes: `told` were waiting, `next` will hear when they ask, `limited` were told a moment ago."""

    told: tuple[str, ...]
    next: tuple[str, ...]
    limited: tuple[str, ...]


@dataclass
class Pokes:
    """Who waits, and who was told to look. `clock` gives seconds."""

    clock: Callable[[], float] = time.monotonic
    _waiting: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    _told: dict[str, float] = field(default_factory=dict)
    _pending: set[str] = field(default_factory=set)
    _watcher: asyncio.Task[None] | None = None
    _wakings: set[asyncio.Task[None]] = field(default_factory=set)
    _closed: bool = False

    def push(self, names: Iterable[str]) -> Push:
        """Have nodes look again, even where nothing changed: what was edited on them is put right."""
        now = self.clock()
        wanted = tuple(dict.fromkeys(names))
        limited = tuple(name for name in wanted if now - self._told.get(name, -PUSH_SECONDS) < PUSH_SECONDS)
        chosen = [name for name in wanted if name not in set(limited)]
        self._told.update(dict.fromkeys(chosen, now))
        self._pending.update(chosen)
        told = tuple(name for name in chosen if name in self._waiting)
        if told:
            waking = asyncio.create_task(self._wake_all(told))
            self._wakings.add(waking)
            waking.add_done_callback(self._wakings.discard)
        return Push(told, tuple(name for name in chosen if name not in set(told)), limited)

    def take(self, node: str) -> bool:
        """Whether a node was told to look since it last asked."""
        was_told = node in self._pending
        self._pending.discard(node)
        return was_told

    async def wait(self, node: str, seconds: float, *, seen: str, revision: Callable[[], str]) -> None:
        """Return when there may be news for a node, or when the time is over. `seen` is the revision it knows."""
        if self._closed or node in self._pending or revision() != seen:
            return
        news = asyncio.Event()
        self._waiting.setdefault(node, set()).add(news)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch(revision, seen))
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), seconds)
        finally:
            self._waiting[node].discard(news)
            if not self._waiting[node]:
                del self._waiting[node]

    def close(self) -> None:
        """Let everybody go: nobody is held any more."""
        self._closed = True
        for name in list(self._waiting):
            self._wake(name)
        for task in filter(None, (self._watcher, *self._wakings)):
            task.cancel()

    @property
    def closed(self) -> bool:
        """Whether nobody is held any more."""
        return self._closed

    def _wake(self, node: str) -> None:
        for news in self._waiting.get(node, ()):
            news.set()

    async def _watch(self, revision: Callable[[], str], seen: str) -> None:
        """One task for all who wait; it ends with the last of them."""
        while self._waiting:
            await asyncio.sleep(_LOOK)
            if revision() == seen:
                continue
            seen = revision()
            await self._wake_all(list(self._waiting))

    async def _wake_all(self, names: Sequence[str]) -> None:
        for number, name in enumerate(names, start=1):
            self._wake(name)
            if number % _BATCH == 0:
                await asyncio.sleep(_PAUSE)
