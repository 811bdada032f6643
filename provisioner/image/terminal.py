"""A terminal of its own for a program in a chamber: what a person types goes there, what it prints comes back."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16


def here() -> bool:
    """Whether a person sits at this process: its input and its output are terminals."""
    return sys.stdin.isatty() and sys.stdout.isatty()


class Terminal:
    """A new terminal of this one's size, a context manager. `program` is the descriptor for the program."""

    def __init__(self) -> None:
        self._keeper, self.program = pty.openpty()
        _copy_size(self._keeper)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._keeper)

    def relay(self) -> None:
        """Carry bytes between this process's terminal and the program's until nobody has that one open any more.

        This one is raw meanwhile, so that Ctrl-C is a byte for the program; changes of its size are passed on.
        """
        os.close(self.program)
        source, target = sys.stdin.fileno(), sys.stdout.fileno()
        with _raw(source), _resized(self._keeper):
            _carry(source, self._keeper, target)


def _carry(source: int, keeper: int, target: int) -> None:
    watched = [source, keeper]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if keeper in ready:
            output = _read(keeper)
            if not output:
                return
            _write(target, output)
        if source in ready:
            typed = os.read(source, _CHUNK)
            _write(keeper, typed)
            if not typed:
                watched.remove(source)


def _read(keeper: int) -> bytes:
    try:
        return os.read(keeper, _CHUNK)
    except OSError as error:
        # How Linux says that the other side is closed.
        if error.errno == errno.EIO:
            return b""
        raise


def _write(target: int, content: bytes) -> None:
    while content:
        content = content[os.write(target, content) :]


@contextmanager
def _raw(source: int) -> Iterator[None]:
    before = termios.tcgetattr(source)
    tty.setraw(source)
    try:
        yield
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)


@contextmanager
def _resized(keeper: int) -> Iterator[None]:
    before = signal.signal(signal.SIGWINCH, lambda *_: _copy_size(keeper))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _copy_size(keeper: int) -> None:
    if sys.stdin.isatty():
        size = fcntl.ioctl(sys.stdin.fileno(), termios.TIOCGWINSZ, bytes(8))
        fcntl.ioctl(keeper, termios.TIOCSWINSZ, size)
