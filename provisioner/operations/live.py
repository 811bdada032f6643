"""Asking the running daemon."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError

_TIMEOUT = 60.0


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self.path = path
        self.peer = 0

    def connect(self) -> None:
        """Connect to the socket; `peer` is then the process that listens, 0 where it is not seen from here."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(str(self.path))
        # unix(7): struct ucred begins with the process id, as this process's namespace counts.
        (self.peer,) = struct.unpack_from("i", self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))


def status(paths: Paths) -> dict[str, Any] | None:
    """What the daemon says of itself, or None when it does not run.

    `pid` is its process as seen from here: in a lab it counts processes anew. Raises UnavailableError when it
    runs, but does not answer.
    """
    connection = _UnixConnection(paths.control_socket)
    told = _ask(connection, "GET", "/v1/status")
    if told and connection.peer:
        told["pid"] = connection.peer
    return told


def runtime(paths: Paths) -> dict[str, Any] | None:
    """What the daemon last made of the runtime overlays of nodes that asked (http.looks); None when it is down.

    `since` is when (Unix seconds) the daemon began to serve its revision. Raises UnavailableError when it runs,
    but does not answer.
    """
    return _ask(_UnixConnection(paths.control_socket), "GET", "/v1/runtime")


def reload(paths: Paths) -> dict[str, Any] | None:
    """Have the daemon read the files again and wait until it serves them; None when it does not run.

    Raises UnavailableError when it runs, but does not answer.
    """
    return _ask(_UnixConnection(paths.control_socket), "POST", "/v1/reload")


def push(paths: Paths, nodes: Sequence[str]) -> dict[str, Any] | None:
    """Have the daemon tell nodes to look at their runtime overlays; None when it does not run.

    The answer has the lists `told`, `next` and `limited` (http.pokes.Push). Raises UnavailableError when it
    runs, but does not answer.
    """
    body = json.dumps({"nodes": list(nodes)}).encode()
    return _ask(_UnixConnection(paths.control_socket), "POST", "/v1/push", body)


def serve_changes(paths: Paths) -> str:
    """Have the daemon serve what was just written; returns why it does not, empty when it does or does not run."""
    try:
        answer = reload(paths)
    except UnavailableError as error:
        return error.message
    count = len(answer["problems"]) if answer else 0
    return f"{count} mistake{'s' if count > 1 else ''} in the site; see prov check" if count else ""


def _ask(connection: _UnixConnection, method: str, route: str, body: bytes | None = None) -> dict[str, Any] | None:
    try:
        if not _listens(connection):
            return None
        connection.request(method, route, body)
        response = connection.getresponse()
        return _decoded(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _silent(reason) from None
    finally:
        connection.close()


def _listens(connection: _UnixConnection) -> bool:
    """Connect; False when there is no socket, or nobody behind it."""
    try:
        # A path too long for a socket is one that no daemon could listen on: stat says so, connect does not.
        connection.path.stat()
        connection.connect()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return False
    return True


def _decoded(status: int, body: bytes) -> dict[str, Any]:
    if status != http.client.OK:
        raise _silent(f"{status} {body.decode(errors='replace')[:200]}")
    try:
        answer: dict[str, Any] = json.loads(body)
    except ValueError:
        raise _silent("its answer is not JSON") from None
    return answer


def _silent(reason: str) -> UnavailableError:
    hint = "ask as root or as a member of the group provisioner; the daemon's log may say more"
    return UnavailableError(f"the daemon runs, but does not answer: {reason}", hint=hint)
