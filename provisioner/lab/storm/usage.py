"""What the daemon takes while a storm goes over it: processor time and memory, through all of its lives."""

from __future__ import annotations

from dataclasses import dataclass, field

import psutil


@dataclass
class Usage:
    """Seconds of processor time since the first look, and the most bytes of memory that were seen.

    `front` and `others` are the seconds of the first process of each life of the daemon, and of its children.
    """

    memory: int = 0
    front_memory: int = 0
    _seconds: dict[tuple[int, float], tuple[bool, float]] = field(default_factory=dict)
    _before: dict[tuple[int, float], float] | None = None

    def sample(self, pid: int) -> None:
        """Look at the process with this id and its children; one that is gone stays as it was seen last."""
        try:
            first = psutil.Process(pid)
            tree = [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        total = 0
        for process in tree:
            resident = self._look(process, front=process is tree[0])
            total += resident
            if process is tree[0]:
                self.front_memory = max(self.front_memory, resident)
        self.memory = max(self.memory, total)
        if self._before is None:
            self._before = {key: seconds for key, (_, seconds) in self._seconds.items()}

    def _look(self, process: psutil.Process, *, front: bool) -> int:
        try:
            times, born = process.cpu_times(), process.create_time()
            self._seconds[process.pid, born] = (front, times.user + times.system)
            return int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    @property
    def front(self) -> float:
        """Seconds of the processes that answer."""
        return self._sum(front=True)

    @property
    def others(self) -> float:
        """Seconds of the processes that render and compile."""
        return self._sum(front=False)

    def _sum(self, *, front: bool) -> float:
        before = self._before or {}
        return sum(
            seconds - before.get(key, 0.0)
            for key, (is_front, seconds) in self._seconds.items()
            if is_front is front
        )
