"""The requests that a running lab answers, as the JSON objects that travel over its socket, one a connection."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from provisioner.errors import ProtocolError, ProvisionerError
from provisioner.lab.cluster import Lab
from provisioner.lab.machine import MachineFirmware
from provisioner.lab.vm import RunningMachine
from provisioner.model.address import MacAddress

_LONGEST = 1 << 20


class Requests:
    """Carries out requests on a lab; `finished` becomes true when it was asked to go down."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.finished = False

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request; a failure becomes `error` and `hint`."""
        try:
            return self._carry_out(request)
        except ProvisionerError as error:
            return {"error": error.message, "hint": error.hint}
        except (KeyError, TypeError, ValueError) as error:
            return {"error": f"not a request that a lab knows: {error!r}", "hint": None}

    def _carry_out(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["verb"]:
            case "status":
                return self._status()
            case "boot":
                return self._boot(request)
            case "off":
                self._lab.machine(request["node"]).power_off()
                return {}
            case "down":
                self.finished = True
                return {}
            case verb:
                raise ValueError(verb)

    def _boot(self, request: dict[str, Any]) -> dict[str, Any]:
        machine = self._lab.boot(
            request["node"],
            MacAddress(request["mac"]),
            firmware=MachineFirmware(request["firmware"]),
            memory=int(request["memory"]),
            tpm=bool(request.get("tpm")),
            variables=Path(request["variables"]) if request.get("variables") else None,
        )
        return {"folder": str(machine.folder)}

    def _status(self) -> dict[str, Any]:
        daemon = self._lab.daemon
        return {
            "head": str(self._lab.network.head),
            "folder": str(self._lab.folder),
            "first": self._lab.namespace.first.pid,
            "daemon": daemon.running if daemon else None,
            "machines": [_describe(machine) for machine in self._lab.machines.values()],
        }


def receive(connection: socket.socket) -> dict[str, Any]:
    """The one JSON object that the other side sends before it stops sending; ProtocolError for anything else."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        if len(received) > _LONGEST:
            raise ProtocolError("a message longer than 1 MiB")
    try:
        message = json.loads(received)
    except ValueError:
        raise ProtocolError("a message that is not JSON") from None
    if not isinstance(message, dict):
        raise ProtocolError("a message that is not a JSON object")
    return message


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one JSON object, and nothing after it."""
    connection.sendall(json.dumps(message).encode())
    connection.shutdown(socket.SHUT_WR)


def _describe(machine: RunningMachine) -> dict[str, Any]:
    return {
        "node": machine.machine.name,
        "mac": machine.machine.mac,
        "firmware": machine.machine.firmware.value,
        "on": machine.running,
        "cpu_seconds": round(machine.cpu_seconds(), 1),
        "serial": str(machine.serial.path),
    }
