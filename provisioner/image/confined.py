"""Start the process that applies an archive (`image.sandbox`), hand it the archive, and watch it."""

from __future__ import annotations

import os
import select
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from provisioner.errors import IntegrityError
from provisioner.host.run import Process, Stream, spawn
from provisioner.image.sandbox import Report, Request
from provisioner.image.terms import Watch

_LOOK_EVERY = 0.2
_PACKAGE = Path(__file__).resolve().parents[2]


def apply_file(request: Request, source: IO[bytes], watch: Watch) -> Report:
    """Apply an open archive. IntegrityError when it is damaged, hostile or over the limits."""
    total = os.fstat(source.fileno()).st_size
    # The child reads with this very handle, so that its place in the file is known here.
    return _run(request, lambda _: watch(os.lseek(source.fileno(), 0, os.SEEK_CUR), total))


def apply_stream(request: Request, watch: Watch) -> Report:
    """Apply an archive that another program writes into the pipe of the request."""
    return _run(request, lambda child: watch(_bytes_read(child), 0))


@contextmanager
def running(
    command: list[str | os.PathLike[str]],
    *,
    stdout: Stream,
    stderr: Stream,
    environment: dict[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
) -> Iterator[Process]:
    """A program that does not outlive the block, nor this process."""
    words: list[str | os.PathLike[str]] = ["setpriv", "--pdeathsig", "KILL", *command]
    process = spawn(words, stdout=stdout, stderr=stderr, environment=environment, pass_fds=pass_fds)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait(process: Process, look: Callable[[Process], None]) -> int:
    """Wait for the end of a process and return its status; `look` is called now and then meanwhile."""
    handle = os.pidfd_open(process.pid)
    try:
        while not select.select([handle], [], [], _LOOK_EVERY)[0]:
            look(process)
    finally:
        os.close(handle)
    return process.wait()


def _run(request: Request, look: Callable[[Process], None]) -> Report:
    command: list[str | os.PathLike[str]] = [
        *(sys.executable, "-P", "-m", "provisioner.image.sandbox", request.encode())
    ]
    environment = {"PYTHONPATH": str(_PACKAGE)}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        with running(
            command, stdout=output, stderr=errors, environment=environment, pass_fds=(request.source,)
        ) as child:
            status = wait(child, look)
        if status != 0:
            raise IntegrityError(f"the process that unpacks ended with status {status}: {_text(errors)[-2000:]}")
        return Report.decode(_text(output))


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def _bytes_read(child: Process) -> int:
    """All that a process has read yet, what it is made of included (proc(5), /proc/PID/io)."""
    try:
        first = Path("/proc", str(child.pid), "io").read_text().split("\n", 1)[0]
    except OSError:
        return 0
    return int(first.removeprefix("rchar:"))
