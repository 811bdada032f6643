"""A client of the QEMU Machine Protocol (docs/interop/qmp-spec in QEMU's source): commands and their answers."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from provisioner.errors import UnavailableError

_LONGEST_ANSWER = 1 << 20


class Qmp:
    """A context manager: one connection to one machine. Every answer is waited for `timeout` seconds."""

    def __init__(self, path: Path, *, timeout: float = 5.0) -> None:
        self._path = path
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._received = b""

    def __enter__(self) -> Self:
        try:
            connect(self._socket, self._path)
            self._answer("QMP")
            self.execute("qmp_capabilities")
        except OSError as error:
            self._socket.close()
            raise self._silent(error) from None
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a command and return what it returns.

        UnavailableError when the machine refuses it or does not answer.
        """
        try:
            self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
            return self._answer("return")
        except OSError as error:
            raise self._silent(error) from None

    def status(self) -> str:
        """`running`, `paused`, `shutdown` and so on."""
        return str(self.execute("query-status")["status"])

    def reset(self) -> None:
        """Press the reset button."""
        self.execute("system_reset")

    def press(self, key: str) -> None:
        """Press and release a key of the machine's keyboard, as QEMU names it: `down`, `ret`, `a`."""
        self.execute("send-key", keys=[{"type": "qcode", "data": key}])

    def quit(self) -> None:
        """Cut the power; QEMU ends."""
        self.execute("quit")

    def _answer(self, key: str) -> Any:
        # Events come between a command and its answer; they carry neither of the two keys.
        while True:
            message = self._message()
            if key in message:
                return message[key]
            if "error" in message:
                raise UnavailableError(f"QEMU refuses at {self._path}: {message['error'].get('desc')}")

    def _message(self) -> dict[str, Any]:
        while b"\n" not in self._received:
            chunk = self._socket.recv(65536)
            if not chunk or len(self._received) > _LONGEST_ANSWER:
                raise ConnectionError("closed")
            self._received += chunk
        line, self._received = self._received.split(b"\n", 1)
        message = json.loads(line)
        return message if isinstance(message, dict) else {}

    def _silent(self, error: OSError) -> UnavailableError:
        return UnavailableError(f"QEMU does not answer at {self._path} ({error})", hint="prov lab status")


def connect(client: socket.socket, path: Path) -> None:
    """Connect to a Unix socket whose path may be longer than the 107 bytes that an address holds."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        client.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
