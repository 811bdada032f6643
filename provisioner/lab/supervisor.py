"""The one process that holds a lab and answers for it. When it ends, however it ends, the lab is gone."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ProtocolError, UnavailableError
from provisioner.host.files import locked
from provisioner.lab.cluster import Lab
from provisioner.lab.process import Identity
from provisioner.lab.requests import Requests, receive, send
from provisioner.lab.state import LabState, socket_file, state_file

logger = logging.getLogger(__name__)

_WAKE_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0


def supervise(paths: Paths, lab: Lab) -> None:
    """Hold the lab until it is asked to go down or gets SIGTERM. ConflictError when another one holds it."""
    with locked(paths.run / "lab.lock", wait=False), lab, _listening(socket_file(paths)) as listener:
        _state(lab).write(paths)
        try:
            _serve(listener, Requests(lab))
        finally:
            state_file(paths).unlink(missing_ok=True)


def _serve(listener: socket.socket, requests: Requests) -> None:
    def stop(*_: object) -> None:
        requests.finished = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    listener.settimeout(_WAKE_SECONDS)
    while not requests.finished:
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            with connection:
                _answer(connection, requests)


def _answer(connection: socket.socket, requests: Requests) -> None:
    connection.settimeout(_PATIENCE_SECONDS)
    try:
        send(connection, requests.answer(receive(connection)))
    except (OSError, ProtocolError) as error:
        logger.warning("a request was lost: %s", error)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    # Bound through the folder: a whole path may be longer than the 107 bytes that an address holds.
    path.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{folder}/{path.name}")
            path.chmod(0o600)
            listener.listen()
            yield listener
    finally:
        os.close(folder)
        path.unlink(missing_ok=True)


def _state(lab: Lab) -> LabState:
    supervisor = Identity.of(os.getpid())
    if supervisor is None:
        raise UnavailableError("/proc does not show this process", hint="mount -t proc proc /proc")
    return LabState(supervisor, lab.namespace.first, str(lab.folder))
