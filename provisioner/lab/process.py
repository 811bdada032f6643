"""Processes: who a process is, so that no other is ever ended, and one that runs inside a namespace."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from provisioner.errors import UnavailableError

_FORK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process for as long as it lives: its number and when it started, in clock ticks since the machine did.

    Linux gives numbers to new processes again and again; number and start together name one process only.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of the process that has this number now, or None."""
        try:
            content = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # proc(5): the name of the program, in parentheses, may itself hold spaces and parentheses.
        fields = content.rpartition(b")")[2].split()
        return None if fields[0] in {b"Z", b"X"} else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        return Identity.of(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to exactly this process; False when it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # The handle holds on to one process: what is checked now is what the signal reaches.
            if not self.alive():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


def only_child(process: subprocess.Popen[bytes]) -> int | None:
    """The number of the one child of a process that forks once, or None when the process ended before."""
    deadline = time.monotonic() + _FORK_SECONDS
    while time.monotonic() < deadline:
        try:
            children = psutil.Process(process.pid).children()
        except psutil.NoSuchProcess:
            return None
        if children:
            return children[0].pid
        if process.poll() is not None:
            return None
        time.sleep(0.002)
    raise UnavailableError(f"process {process.pid} started no child within {_FORK_SECONDS:g} s")


class Process:
    """A program inside a namespace.

    The program is the child of a carrier that entered the namespace for it. The carrier ends when its child
    does, with the same status, and takes the child along when it is killed.
    """

    def __init__(self, carrier: subprocess.Popen[bytes]) -> None:
        self._carrier = carrier
        pid = only_child(carrier)
        self.identity = Identity.of(pid) if pid is not None else None

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._carrier.poll()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program; nothing happens when it has ended."""
        if self.running and self.identity is not None:
            self.identity.send(number)

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the end; whether it has ended."""
        try:
            self._carrier.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, *, grace: float = 5.0) -> None:
        """Ask the program to end, and kill it after `grace` seconds."""
        self.send(signal.SIGTERM)
        if not self.wait(grace):
            self.kill()

    def kill(self) -> None:
        """Kill the program at once, as a power cut would, and wait until it is gone."""
        self.send(signal.SIGKILL)
        if not self.wait(2.0):
            self._carrier.kill()
            self._carrier.wait()

    def cpu_seconds(self) -> float:
        """User and system time that the program has used; 0 when it has ended."""
        if self.identity is None or not self.identity.alive():
            return 0.0
        try:
            times = psutil.Process(self.identity.pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)
