"""Asking the running daemon."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError

_TIMEOUT = 60.0


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(str(self._path))


def ask(paths: Paths, method: str, route: str) -> dict[str, Any]:
    """The answer of the daemon to a control request. UnavailableError when it does not run."""
    if not paths.control_socket.exists():
        raise UnavailableError("the daemon does not run", hint="start it with: prov serve")
    connection = _UnixConnection(paths.control_socket)
    try:
        connection.request(method, route)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        hint = "start it with: prov serve"
        raise UnavailableError(
            f"the daemon does not answer on {paths.control_socket}: {error}", hint=hint
        ) from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise UnavailableError(f"the daemon answers {response.status}: {body.decode(errors='replace')[:200]}")
    answer: dict[str, Any] = json.loads(body)
    return answer


def status(paths: Paths) -> dict[str, Any] | None:
    """What the daemon says of itself, or None when it does not run."""
    try:
        return ask(paths, "GET", "/v1/status")
    except UnavailableError:
        return None


def reload(paths: Paths) -> dict[str, Any] | None:
    """Have the daemon read the files again and wait until it serves them; None when it does not run."""
    try:
        return ask(paths, "POST", "/v1/reload")
    except UnavailableError:
        return None
