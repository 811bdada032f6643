"""The one door to other programs: argument lists, C locale, no stdin, a timeout, errors that say enough."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from provisioner.errors import CommandError, UnavailableError

logger = logging.getLogger(__name__)

Process = subprocess.Popen[bytes]
Stream = IO[bytes] | int | None
# For `spawn`: the stream that this process has, and none.
INHERIT: Stream = None
NOTHING: Stream = subprocess.DEVNULL

_PACKAGES = {
    "mksquashfs": "squashfs-tools",
    "unsquashfs": "squashfs-tools",
    "dracut": "dracut-core",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "skopeo": "skopeo",
    "sbsign": "sbsigntool",
    "sbverify": "sbsigntool",
    "sbvarsign": "sbsigntool",
    "ip": "iproute2",
}


def require(program: str) -> str:
    """The path of a program; UnavailableError names the package to install."""
    found = shutil.which(program, path=_path())
    if found is None:
        package = _PACKAGES.get(program, program)
        raise UnavailableError(f"the program {program} is not installed", hint=f"apt-get install {package}")
    return found


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    timeout: float = 600,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    stdout: IO[bytes] | None = None,
) -> str:
    """Run a program to its end and return what it printed (nothing where `stdout` takes it).

    Raises CommandError with the end of its output when it fails or takes longer than `timeout` seconds, and
    UnavailableError when it is not installed.
    """
    words = [os.fspath(word) for word in command]
    words[0] = require(words[0])
    logger.debug("run: %s", shlex.join(words))
    try:
        done = subprocess.run(
            words,
            check=False,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=_environment(environment),
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        output = _tail((error.stderr or b"") or (error.stdout or b""))
        raise CommandError(f"{words[0]} took longer than {timeout:g} s", status=-1, output=output) from None
    if done.returncode != 0:
        output = _tail(done.stderr or done.stdout or b"")
        message = f"{shlex.join(words[:3])} failed with status {done.returncode}"
        raise CommandError(f"{message}:\n{output}" if output else message, status=done.returncode, output=output)
    return (done.stdout or b"").decode(errors="replace")


def run_bytes(command: Sequence[str | os.PathLike[str]], *, timeout: float = 600, limit: int = 64 << 20) -> bytes:
    """Run a program to its end and return the bytes that it printed. Raises what `run` raises.

    More than `limit` bytes are a CommandError too.
    """
    with tempfile.TemporaryFile() as stream:
        run(command, timeout=timeout, stdout=stream)
        size = stream.tell()
        if size > limit:
            raise CommandError(
                f"{os.fspath(command[0])} printed {size} bytes, at most {limit} are taken", status=0
            )
        stream.seek(0)
        return stream.read()


def spawn(
    command: Sequence[str | os.PathLike[str]],
    *,
    stdin: Stream = NOTHING,
    stdout: Stream = NOTHING,
    stderr: Stream = subprocess.STDOUT,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program and return its process; the caller ends it."""
    words = [os.fspath(word) for word in command]
    words[0] = require(words[0])
    logger.debug("spawn: %s", shlex.join(words))
    return subprocess.Popen(
        words,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=_environment(environment),
        pass_fds=pass_fds,
    )


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "PATH": _path(), **(extra or {})}


def _path() -> str:
    # An administrator's shell may lack the sbin folders, where half of the tools live.
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def _tail(output: bytes, lines: int = 20) -> str:
    return "\n".join(output.decode(errors="replace").strip().splitlines()[-lines:])
