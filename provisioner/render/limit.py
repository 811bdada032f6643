"""A bound for the time and the memory that a template may take."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from provisioner.render.environment import RenderError

SECONDS = 10
_AGAIN = 0.2
MEMORY = 4 << 30
"""Bytes that a process may have while it renders, all that it maps counted."""


@contextmanager
def limited(what: str) -> Iterator[None]:
    """Raise RenderError when the body takes more than ten seconds of the processor's time, or lacks memory.

    `what` is named in the message. Main thread only.
    """
    try:
        with _in_memory(), timed(what):
            yield
    except (MemoryError, SystemError):
        # Where no memory is left, some functions of Python fail without saying why: a SystemError.
        raise RenderError(f"{what}: it needs more memory than there is") from None


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Raise RenderError when the body takes more than ten seconds of the processor's time. Main thread only."""

    def expire(_signal: int, _frame: FrameType | None) -> None:
        raise RenderError(f"{what}: it took more than {SECONDS} s of processor time to render")

    # Of the processor's time: on a busy machine a sound template must not fail because it had to wait.
    previous = signal.signal(signal.SIGPROF, expire)
    # Again and again: Python drops what is raised while it collects garbage, or calls back a weak reference.
    signal.setitimer(signal.ITIMER_PROF, SECONDS, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


@contextmanager
def _in_memory() -> Iterator[None]:
    """Have a lack of memory be an error of this process, before the kernel ends others for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = MEMORY if soft == resource.RLIM_INFINITY else min(soft, MEMORY)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
