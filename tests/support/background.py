"""A program of a test that runs in a namespace while the test looks at what it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from subprocess import TimeoutExpired

from provisioner.host.run import spawn
from tests.support.netns import Namespace

_STOP_SECONDS = 10.0


@contextmanager
def background(place: Namespace, command: Sequence[str | PathLike[str]], *, log: Path) -> Iterator[None]:
    """Run a program inside a namespace until the end of the context; AssertionError if it ends by itself."""
    with log.open("ab") as output:
        process = spawn(["ip", "netns", "exec", place.name, *command], stdout=output)
    try:
        yield
        assert process.poll() is None, f"{command[0]} ended: {log.read_text()}"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except TimeoutExpired:
            process.kill()
            process.wait()
