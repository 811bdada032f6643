"""A shell on a terminal of its own, which a test talks to as a person would.

The shell takes whole commands from a pipe, so that here-documents and questions come through, and marks the end of
each with its status. Everything that it starts ends with it: it is the first process of a namespace.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_ROWS, _COLUMNS = 50, 300
_MARK = re.compile(rb"\x1e(\d+)\x1e")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\(B")
# A program that shows progress clears the line in the end.
_CLEARED = re.compile(r"[^\n]*\r\x1b\[K")
_QUESTION = re.compile(rb"\[(?:y/N|Y/n)\]:? ?$")
_INTERRUPT = b"\x03"
# The trap keeps the shell alive when Ctrl-C ends what it runs; a program gets the usual handler back.
_DRIVER = """\
trap : INT
while IFS= read -r -d '' -u {fd} command; do
    eval "$command" {fd}<&-
    printf '\\036%d\\036' $?
done
"""


@dataclass(frozen=True, slots=True)
class Printed:
    """What came on the terminal, without colours and carriage returns, and the exit status.

    `status` is None where the command had to be ended, and `reason` says why.
    """

    text: str
    status: int | None
    reason: str = ""


class Terminal:
    """A context manager. `prefix` is the command that starts the shell, up to its name."""

    def __init__(self, prefix: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        read, self._commands = os.pipe()
        shell = ["bash", "--norc", "--noprofile", "-c", _DRIVER.format(fd=read)]
        self._process = subprocess.Popen(
            # The terminal is the shell's own, and Ctrl-C reaches what runs in it even where tests ignore it.
            ["setsid", "--ctty", "env", "--default-signal", *prefix, *shell],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=dict(environment),
            pass_fds=[read],
        )
        os.close(slave)
        os.close(read)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._master)

    def run(
        self,
        command: str,
        *,
        answers: Sequence[tuple[str, str]] = (),
        interrupt_after: re.Pattern[str] | None = None,
        timeout: float = 60,
    ) -> Printed:
        """Run a command to its end.

        Args:
            command: as typed; it may have many lines.
            answers: questions and what is typed there, in the order in which they come.
            interrupt_after: type Ctrl-C as soon as the output matches this.
            timeout: seconds; then the command is given up, and the shell with it.
        """
        os.write(self._commands, command.encode() + b"\0")
        deadline, waiting, came = time.monotonic() + timeout, list(answers), b""
        asked = 0
        while not (end := _MARK.search(came)):
            piece = self._read(deadline - time.monotonic())
            if piece is None:
                return Printed(_plain(came), None, f"did not end in {timeout:g} s")
            if not piece:
                return Printed(_plain(came), None, "ended the shell")
            came += piece
            if waiting and came[asked:].decode(errors="replace").rstrip().endswith(waiting[0][0]):
                os.write(self._master, waiting.pop(0)[1].encode() + b"\n")
                asked = len(came)
            elif not waiting and _QUESTION.search(came[asked:]):
                return Printed(_plain(came), None, "asks, and the page does not answer")
            if interrupt_after and interrupt_after.search(_plain(came)):
                os.write(self._master, _INTERRUPT)
                interrupt_after = None
        return Printed(_plain(came[: end.start()]), int(end[1]))

    def _read(self, seconds: float) -> bytes | None:
        """What came next; nothing where the shell has ended, None where nothing came in time."""
        ready, _, _ = select.select([self._master], [], [], max(seconds, 0))
        if not ready:
            return None
        try:
            return os.read(self._master, 1 << 16)
        except OSError:
            return b""


def _plain(came: bytes) -> str:
    seen = _CLEARED.sub("", came.decode(errors="replace"))
    return _COLOUR.sub("", seen).replace("\r", "")
