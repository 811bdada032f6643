"""Short pauses for garbage collection in processes that hold a large site.

A full collection looks at every object: a third of a second at ten thousand nodes, in which nothing is answered.
Almost all of them stay for as long as the process, and go by their reference counts when they go. So what survives
a long collection is looked at no more (gc.freeze); what is not found any more are cycles that break up later.
"""

from __future__ import annotations

import gc
import time

_LONG_SECONDS = 0.005
# Full collections come often, so that each finds little: what they find is looked at no more.
_YOUNG, _MIDDLE, _OLD = 700, 10, 2


class _Watch:
    """Called by the collector before and after each collection."""

    def __init__(self) -> None:
        self._started = 0.0

    def __call__(self, phase: str, details: dict[str, int]) -> None:
        if phase == "start":
            self._started = time.monotonic()
        elif details["generation"] == 2 and time.monotonic() - self._started > _LONG_SECONDS:
            gc.freeze()


def shorten() -> None:
    """From now on look once at what a long collection finds alive, and no more."""
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    if not any(isinstance(each, _Watch) for each in gc.callbacks):
        gc.callbacks.append(_Watch())


def collect_and_freeze() -> None:
    """Look for garbage now, where nobody waits, and from now on only among what is made later."""
    gc.collect()
    gc.freeze()
