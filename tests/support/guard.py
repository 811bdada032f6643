"""Keeps unit tests off the machine: no programs, no sockets, no writes outside their own folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Audit events (https://docs.python.org/3/library/audit_events.html) that no unit test has a reason to raise.
_PROGRAMS = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "pty.spawn",
    }
    | {"os.kill", "os.killpg"}
)
_SOCKETS = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.sethostname",
    }
    | {"socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
)
# Which arguments of the event are paths that change.
_CHANGES: Mapping[str, Sequence[int]] = {
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.utime": (0,),
}
# A path argument that belongs to an open directory (shutil.rmtree) is relative to it; `open` was checked already.
_DIRECTORY_HANDLE: Mapping[str, int] = {"os.mkdir": 2, "os.remove": 1, "os.rmdir": 1}


class TouchesMachineError(Exception):
    """A unit test reached for the machine."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"a unit test {what}: unit tests touch nothing but tmp_path. Take a value instead of the machine, "
            "or move the test to tests/integration"
        )


class Guard:
    """An audit hook that objects while `watching`. One is enough for a run: Python cannot remove a hook."""

    def __init__(self) -> None:
        self._writable: tuple[Path, ...] | None = None

    def install(self) -> None:
        """Add the hook to this interpreter, for good."""
        sys.addaudithook(self._hook)

    @contextmanager
    def watching(self, *writable: Path) -> Iterator[None]:
        """Raise TouchesMachineError where the code inside reaches for the machine; these folders are free."""
        self._writable = tuple(path.resolve() for path in writable)
        try:
            yield
        finally:
            self._writable = None

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._writable is None:
            return
        if event in _PROGRAMS:
            raise TouchesMachineError(f"started or signalled a program ({event})")
        if event in _SOCKETS or (event == "socket.__new__" and _leaves_the_process(arguments)):
            raise TouchesMachineError(f"used a socket ({event})")
        for path in _changed_paths(event, arguments):
            if not self._allows(path):
                raise TouchesMachineError(f"wrote to {path} ({event})")

    def _allows(self, path: Path) -> bool:
        # Importing a module for the first time writes its byte code.
        if "__pycache__" in path.parts or path == Path(os.devnull):
            return True
        return any(path.is_relative_to(folder) for folder in self._writable or ())


def _leaves_the_process(arguments: tuple[Any, ...]) -> bool:
    # Event loops wake themselves through a pair of Unix sockets; -1 wraps a socket that is open already.
    return arguments[1] not in {-1, 1}


def _changed_paths(event: str, arguments: tuple[Any, ...]) -> Iterator[Path]:
    if event == "open":
        path, _, flags = arguments
        if flags & _WRITING and not isinstance(path, int):
            yield Path(os.fsdecode(path)).resolve()
        return
    if event == "sqlite3.connect":
        yield from _database(os.fsdecode(arguments[0]))
        return
    handle = _DIRECTORY_HANDLE.get(event)
    if handle is not None and arguments[handle] not in {-1, None}:
        return
    for index in _CHANGES.get(event, ()):
        path = arguments[index]
        if not isinstance(path, int):
            yield _named(path)


def _database(name: str) -> Iterator[Path]:
    # SQLite opens its files itself, unseen. Names may be URIs (https://sqlite.org/uri.html).
    if name == ":memory:" or "mode=memory" in name or "mode=ro" in name:
        return
    yield Path(unquote(urlsplit(name).path) if name.startswith("file:") else name).resolve()


def _named(path: str | bytes | os.PathLike[str]) -> Path:
    # Folders count where links lead to; the name itself may be a link, and then the link is what changes.
    plain = Path(os.fsdecode(path))
    return plain.parent.resolve() / plain.name
