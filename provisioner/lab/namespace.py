"""A place of its own for everything that a lab runs: network, processes and mounts, gone with whoever made it.

Theory of operation. The first process of the namespace reads from a pipe whose other end only we hold. When we
close it, crash, or are killed with SIGKILL, the kernel closes the pipe, the first process ends, and the kernel
kills every process of a namespace whose first process ends, whatever they made of themselves. With the last
process goes the network: nothing has to be cleaned up, so nothing can be forgotten.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from provisioner.errors import UnavailableError
from provisioner.host.run import require, run, spawn
from provisioner.lab.process import Identity, Process, only_child

Command = Sequence[str | os.PathLike[str]]

_UNSHARE = (
    *("unshare", "--net", "--pid", "--mount", "--propagation", "slave", "--mount-proc"),
    *("--fork", "--kill-child=KILL"),
)
_READY_SECONDS = 10.0
# A killed process still has to be scheduled to end, and a worker of the daemon runs at nice 19.
_END_SECONDS = 60.0


def entering(first: int, command: Command, *, cwd: Path) -> list[str]:
    """The command that runs another command inside the namespace whose first process is `first`."""
    words = [os.fspath(word) for word in command]
    words[0] = require(words[0])
    return [
        *("nsenter", "--target", str(first), "--net", "--pid", "--mount", f"--wd={cwd}", "--"),
        # nsenter waits outside for its child inside; the child must not survive it.
        *("setpriv", "--pdeathsig", "KILL", "--", *words),
    ]


class Namespace:
    """A context manager. Inside it, programs see no network but the one that the lab builds."""

    def __init__(self) -> None:
        self._holder: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._first: Identity | None = None
        self._started: list[Process] = []

    @property
    def first(self) -> Identity:
        """The first process, on which everything inside depends."""
        if self._first is None:
            raise UnavailableError("the namespace is not open")
        return self._first

    def __enter__(self) -> Self:
        require("nsenter")
        for_child, self._lifeline = os.pipe()
        try:
            self._holder = spawn([*_UNSHARE, "cat", f"/dev/fd/{for_child}"], pass_fds=[for_child])
        finally:
            os.close(for_child)
        try:
            self._first = self._wait_for_first(self._holder)
            # /sys shows the devices of the network namespace that mounted it.
            self.run(["mount", "-t", "sysfs", "sysfs", "/sys"])
            self.run(["ip", "link", "set", "lo", "up"])
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def run(self, command: Command, *, timeout: float = 60) -> str:
        """Run a program inside to its end and return what it printed. Raises as host.run does."""
        return run(entering(self.first.pid, command, cwd=Path.cwd()), timeout=timeout)

    def spawn(self, command: Command, *, output: IO[bytes] | int = subprocess.DEVNULL, cwd: Path) -> Process:
        """Start a program inside, with both its outputs in one place."""
        process = Process(spawn(entering(self.first.pid, command, cwd=cwd), stdout=output))
        self._started.append(process)
        return process

    def _wait_for_first(self, holder: subprocess.Popen[bytes]) -> Identity:
        deadline = time.monotonic() + _READY_SECONDS
        pid = only_child(holder)
        while pid is not None and time.monotonic() < deadline:
            first = Identity.of(pid)
            # As long as it has not become cat, its mounts are not done.
            if first is not None and _program(pid) == "cat":
                return first
            time.sleep(0.002)
        raise UnavailableError(
            "this machine lets us make no namespaces for network, processes and mounts",
            hint="run as root, outside containers that forbid it; try: unshare --net --pid --mount --fork true",
        )

    def _close(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        self._first = None
        if self._holder is not None:
            self._holder.wait(timeout=_END_SECONDS)
        # The kernel has killed them; this only takes their exit status.
        for process in self._started:
            process.wait(_END_SECONDS)
        self._started.clear()


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
