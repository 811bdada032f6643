"""A bound for the time that a template may take."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from provisioner.render.environment import RenderError

SECONDS = 10


@contextmanager
def limited(what: str) -> Iterator[None]:
    """Raise RenderError when the body takes more than ten seconds of the processor's time, or lacks memory.

    `what` is named in the message. Main thread only.
    """
    try:
        with timed(what):
            yield
    except MemoryError:
        raise RenderError(f"{what}: it needs more memory than there is") from None


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Raise RenderError when the body takes more than ten seconds of the processor's time. Main thread only."""

    def expire(_signal: int, _frame: FrameType | None) -> None:
        raise RenderError(f"{what}: it took more than {SECONDS} s of processor time to render")

    # Of the processor's time: on a busy machine a sound template must not fail because it had to wait.
    previous = signal.signal(signal.SIGPROF, expire)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
