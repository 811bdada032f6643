"""A serial line as a log: lines with times, read while the machine writes them."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import UnavailableError

# Colours and cursor movements (ECMA-48 CSI), character sets, carriage returns and other controls but tabs.
_CONTROLS = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][0-9A-B]|\x1b[=>78]|[\x00-\x08\x0b-\x1f\x7f]")
_POLL_SECONDS = 0.1
_CHUNK = 1 << 16
_KEPT_LINES = 20_000
_LONGEST_LINE = 1 << 14


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end and its terminal controls; `time` is Unix seconds, when it was read."""

    time: float
    text: str


def plain(octets: bytes) -> str:
    """What a terminal would show, without colours and cursor movements."""
    return _CONTROLS.sub("", octets.decode(errors="replace")).rstrip()


class SerialLog:
    """Reads a file that grows. Keeps the last 20,000 lines; a line longer than 16 KiB becomes several."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._offset = 0
        self._pending = b""
        self._lines: deque[Line] = deque(maxlen=_KEPT_LINES)

    def read(self) -> list[Line]:
        """Take in what was written since the last call, and return the lines that it completed."""
        new: list[Line] = []
        while chunk := self._chunk():
            *complete, self._pending = (self._pending + chunk).split(b"\n")
            if len(self._pending) > _LONGEST_LINE:
                complete.append(self._pending)
                self._pending = b""
            new += [Line(self._clock(), text) for text in map(plain, complete) if text]
        self._lines += new
        return new

    @property
    def unfinished(self) -> str:
        """The last line, which has no end yet: firmware prints its progress there."""
        return plain(self._pending)

    def text(self) -> str:
        """Everything that is kept, the unfinished line too."""
        return "\n".join([*(line.text for line in self._lines), self.unfinished])

    def tail(self, count: int = 20) -> str:
        """The last lines."""
        return "\n".join(self.text().rstrip().splitlines()[-count:])

    def find(self, pattern: str) -> re.Match[str] | None:
        """The first place in the kept lines that matches."""
        searched = (re.search(pattern, text) for text in [*(line.text for line in self._lines), self.unfinished])
        return next((match for match in searched if match), None)

    def wait_for(
        self, pattern: str, timeout: float, *, running: Callable[[], bool] = lambda: True
    ) -> re.Match[str]:
        """Wait until a line matches, at most `timeout` seconds and only while `running` says so.

        Lines from before the call count too. Raises UnavailableError with the end of the log.
        """
        deadline = time.monotonic() + timeout
        while True:
            # Asked before reading, so that the last words of a machine that ended are read.
            alive = running()
            self.read()
            if match := self.find(pattern):
                return match
            if not alive or time.monotonic() >= deadline:
                why = f"did not come within {timeout:g} s" if alive else "had not come when the machine ended"
                message = f"{pattern!r} {why} in {self.path}; it ends with:\n{self.tail()}"
                raise UnavailableError(message, hint=f"less -R {self.path}")
            time.sleep(_POLL_SECONDS)

    def _chunk(self) -> bytes:
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                chunk = stream.read(_CHUNK)
        except FileNotFoundError:
            return b""
        self._offset += len(chunk)
        return chunk
