"""The daemon of a lab: any command that serves the nodes, started and killed as a test or the demo asks."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Process
from provisioner.lab.qmp import connect

_POLL_SECONDS = 0.05
# As the unit that ships has it (TimeoutStopSec): what a daemon has not written by then is lost.
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class DaemonCommand:
    """How to start a daemon, and how to know that it serves; `timeout` in seconds."""

    words: tuple[str, ...]
    ready: Callable[[], bool]
    timeout: float = 60.0

    @classmethod
    def serve(cls, paths: Paths) -> DaemonCommand:
        """`prov serve` for a site."""
        return cls(prov(paths, "serve"), lambda: accepts_connections(paths.control_socket))


class LabDaemon:
    """The daemon's process inside a namespace. Its output is appended to `log`, start after start."""

    def __init__(self, namespace: Namespace, command: DaemonCommand, log: Path) -> None:
        self._namespace = namespace
        self._command = command
        self.log = log
        self.process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.running

    def start(self) -> None:
        """Start it and wait until it serves; UnavailableError with the end of its log when it does not."""
        with self.log.open("ab") as output:
            self.process = self._namespace.spawn(self._command.words, output=output, cwd=self.log.parent)
        deadline = time.monotonic() + self._command.timeout
        while not self._command.ready():
            if not self.process.running:
                raise self._failed(f"ended with status {self.process.status}")
            if time.monotonic() >= deadline:
                raise self._failed(f"does not serve after {self._command.timeout:g} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End it the way that systemd would."""
        if self.process is not None:
            self.process.end(grace=_STOP_SECONDS)

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        if self.process is not None:
            self.process.kill()

    def _failed(self, what: str) -> UnavailableError:
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        return UnavailableError(f"the daemon {what}; {self.log} ends with:\n{tail}", hint=f"less {self.log}")


def prov(paths: Paths, *words: str) -> tuple[str, ...]:
    """The command that runs this very program for a site."""
    place = () if paths == Paths.below(None) else ("--root", str(paths.site))
    return (sys.executable, "-m", "provisioner", *place, *words)


def accepts_connections(path: Path) -> bool:
    """Whether somebody listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            connect(client, path)
        except OSError:
            return False
    return True
