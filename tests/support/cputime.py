"""Processor time to the nanosecond, for processes that live shorter than a tick of the kernel's usual bill."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil


def cpu_seconds(pid: int) -> dict[int, float]:
    """What a process and its living descendants used, with all threads, by process id (proc(5): schedstat)."""
    with suppress(psutil.NoSuchProcess):
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        return {each: _of(each) for each in family}
    return {}


def since(before: dict[int, float], after: dict[int, float]) -> float:
    """Seconds between two bills; a process that is new has begun at nothing."""
    return sum(used - before.get(pid, 0.0) for pid, used in after.items())


def _of(pid: int) -> float:
    used = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        # A thread may end between the look and the reading.
        with suppress(OSError):
            used += int(thread.read_text().split()[0])
    return used / 1e9
