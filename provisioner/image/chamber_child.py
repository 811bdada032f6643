"""The two processes behind a chamber: one that keeps it, and the first one inside, which looks after the program.

Run as `python -m provisioner.image.chamber_child SOCKET` by `image.chamber`, as root. The request comes by the
socket with this number: what is on a command line, the program could read. The keeper ends with the program's exit
status, or 128 and the number of a signal that ended it. Its own troubles go back as text: none means that the
program ran.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import socket
import sys
import termios
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from provisioner.image.furniture import Bind, Places, View, furnish, lay, raise_loopback
from provisioner.image.namespaces import die_with_parent, enter, hide, keep_capabilities, leave

NOT_STARTED = 125

# Enough to install packages of any distribution (capabilities(7)): chown, dac_override, fowner, fsetid, kill,
# setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap. Not dac_read_search:
# with it a file handle of this machine's own files could be opened from inside.
_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
_LONGEST = 256 << 20
_DEFERRED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)


@dataclass(frozen=True, slots=True)
class Request:
    """A program to run: where things go, its words and its environment.

    With `seconds` it is stopped after so many, and no file that it writes gets long.
    """

    places: Places
    command: tuple[str, ...]
    environment: dict[str, str]
    binds: tuple[Bind, ...]
    network: bool
    read_only: bool
    terminal: bool
    parent: int
    view: View | None = None
    seconds: int = 0

    def encode(self) -> bytes:
        """The request as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, text: bytes) -> Request:
        """The request in a JSON text."""
        fields: dict[str, Any] = json.loads(text)
        places, binds = Places(**fields["places"]), tuple(Bind(**each) for each in fields["binds"])
        view = View(tuple(fields["view"]["lowers"]), fields["view"]["mount"]) if fields["view"] else None
        words = tuple(fields["command"])
        return cls(**{**fields, "places": places, "binds": binds, "command": words, "view": view})


def main(arguments: list[str]) -> int:
    """Run the program of the request to its end."""
    line = socket.socket(fileno=int(arguments[0]))
    line.set_inheritable(False)
    request = Request.decode(line.makefile("rb").read())
    for number in _DEFERRED:
        signal.signal(number, signal.SIG_IGN)
    try:
        die_with_parent(request.parent)
        leave(network=not request.network)
    except OSError as error:
        _report(line, f"cannot make namespaces: {error}")
    # Held back until there is somebody to pass it on to.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    first = os.fork()
    if first == 0:
        _run_first(request, line)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
    # Nobody handles it: it ends this process, and with it the chamber.
    signal.alarm(request.seconds)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    return _status(os.waitpid(first, 0)[1])


def _run_first(request: Request, line: socket.socket) -> NoReturn:
    """Be process 1 of the chamber: furnish it, start the program, collect orphans, end with the program."""
    try:
        die_with_parent()
        hide()
        os.umask(0o022)
        socket.sethostname("localhost")
        if request.view is not None:
            lay(request.view)
        furnish(request.places, request.binds, read_only=request.read_only, terminal=request.terminal)
        if not request.network:
            raise_loopback()
        enter(Path(request.places.tree))
        keep_capabilities(_CAPABILITIES)
    except OSError as error:
        _report(line, f"cannot prepare {request.places.tree}: {error}")
    program = os.fork()
    if program == 0:
        _start(request, line)
    while True:
        ended, status = os.wait()
        if ended == program:
            os._exit(_status(status))


def _start(request: Request, line: socket.socket) -> NoReturn:
    """Become the program: in a session of its own, so that it cannot type into the terminal of this machine."""
    os.setsid()
    if request.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (*_DEFERRED, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if request.seconds:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_LONGEST, _LONGEST))
    try:
        # There is no shell in between, and nothing of this machine in reach.
        os.execvpe(request.command[0], request.command, request.environment)  # noqa: S606 - that is its job
    except OSError as error:
        _report(line, f"cannot run {request.command[0]} in the image: {error.strerror}")


def _report(line: socket.socket, text: str) -> NoReturn:
    line.sendall(text.encode(errors="replace"))
    os._exit(NOT_STARTED)


def _status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
