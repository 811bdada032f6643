"""What people do with a lab: bring it up, boot nodes, look at them, take it down."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provisioner.config.decode import decode_site
from provisioner.config.marked import parse
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, NotFoundError, UnavailableError
from provisioner.host.run import spawn
from provisioner.lab.daemon import prov
from provisioner.lab.machine import MachineFirmware
from provisioner.lab.network import LabNetwork, network_of
from provisioner.lab.qmp import connect
from provisioner.lab.requests import receive, send
from provisioner.lab.serial import SerialLog
from provisioner.lab.state import LabState, log_folder, serial_file, socket_file, state_file
from provisioner.model.address import MacAddress
from provisioner.model.boot import BootRecord
from provisioner.operations.boots import boots_of
from provisioner.operations.secureboot import OVMF_FILE, folder_of
from provisioner.registry.store import read_current, read_node

# The daemon alone may take a minute (lab.daemon), and then says why it does not serve.
_UP_SECONDS = 90.0
_ANSWER_SECONDS = 30.0
_DOWN_SECONDS = 20.0
_POLL_SECONDS = 0.1
_ENDED = frozenset({"ready", "degraded", "failed", "local"})


def up(paths: Paths, options: tuple[str, ...] = ()) -> LabState:
    """Start the process that holds the lab, and wait until its daemon serves.

    Raises ConflictError when it is up, UnavailableError with the end of its log when it does not come up.
    """
    if LabState.read(paths) is not None:
        raise ConflictError("the lab is up already", hint="prov lab status, or prov lab down")
    network_of_site(paths)
    folder = log_folder(paths)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "supervisor.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C in this terminal is not meant for the lab.
        process = spawn(["setsid", *prov(paths, "lab", "run", *options)], stdout=output)
    return _wait_until_up(paths, process, log)


def down(paths: Paths) -> bool:
    """End the lab and everything in it; False when none was up."""
    state = LabState.read(paths)
    if state is None:
        return False
    try:
        ask(paths, {"verb": "down"})
    except UnavailableError:
        state.supervisor.send(signal.SIGTERM)
    if not _gone(state, _DOWN_SECONDS):
        state.supervisor.send(signal.SIGKILL)
        _gone(state, _DOWN_SECONDS)
    # A killed one leaves its note behind; the kernel has ended everything else.
    state_file(paths).unlink(missing_ok=True)
    socket_file(paths).unlink(missing_ok=True)
    return True


def boot(paths: Paths, node: str, *, firmware: MachineFirmware, memory: int = 1536, tpm: bool = False) -> Path:
    """Switch on the virtual machine of a node, `memory` in MiB; returns the file of its serial line."""
    request = {"verb": "boot", "node": node, "mac": boot_mac(paths, node)}
    variables = _variables(paths) if firmware.has_site_key else None
    more = {"firmware": firmware.value, "memory": memory, "tpm": tpm, "variables": variables}
    ask(paths, request | more)
    return serial_file(paths, node)


def _variables(paths: Paths) -> str:
    """The file of firmware that knows the site's key; NotFoundError where there is none."""
    file = folder_of(paths) / OVMF_FILE
    if not file.exists():
        raise NotFoundError(f"{file} does not exist", hint="prov secureboot enroll (with OVMF installed)")
    return str(file)


def boot_mac(paths: Paths, node: str) -> MacAddress:
    """The hardware address that a node boots with, as the daemon serves it."""
    revision = read_current(paths)
    resolved = read_node(paths, revision, node) if revision else None
    if resolved is None:
        raise NotFoundError(f"the site has no node {node}", hint="prov node list, prov check")
    interface = resolved.boot_interface
    if interface is None or interface.mac is None:
        raise NotFoundError(f"{node} has no MAC", hint=f"prov node set {node} --mac 52:54:00:00:00:01")
    return interface.mac


def wait_for_boot(paths: Paths, node: str, *, since: float, timeout: float) -> BootRecord:
    """Wait until a boot of the node that began after `since` (Unix seconds) is ready, degraded or failed.

    Raises UnavailableError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        boots = boots_of(paths, [node], limit=1)
        if boots and boots[0].opened >= since and boots[0].state in _ENDED:
            return boots[0]
        time.sleep(_POLL_SECONDS)
    raise UnavailableError(
        f"{node} is not ready after {timeout:g} s", hint=f"prov boot show {node}; prov lab console {node}"
    )


def console(paths: Paths, node: str) -> Iterator[str]:
    """The lines of a node's serial line, from its last boot on, as long as the lab is up."""
    if not serial_file(paths, node).exists():
        raise NotFoundError(f"{node} was not booted in this lab", hint=f"prov lab boot {node}")
    log = SerialLog(serial_file(paths, node))
    while True:
        up = LabState.read(paths) is not None
        yield from (line.text for line in log.read())
        if not up:
            return
        time.sleep(_POLL_SECONDS)


def ask(paths: Paths, request: dict[str, Any]) -> dict[str, Any]:
    """Have the running lab carry out a request. Raises UnavailableError when it is not up or refuses."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connect(connection, socket_file(paths))
            send(connection, request)
            answer = receive(connection)
        except (FileNotFoundError, ConnectionRefusedError):
            raise UnavailableError("the lab is not up", hint="prov lab up") from None
        except OSError as error:
            raise UnavailableError(f"the lab does not answer: {error}", hint="prov lab down") from None
    if "error" in answer:
        raise UnavailableError(answer["error"], hint=answer.get("hint"))
    return answer


def network_of_site(paths: Paths) -> LabNetwork:
    """The lab's network, from provisioner.yaml. Raises ConfigError, NotFoundError."""
    try:
        text = paths.site_file.read_text()
    except FileNotFoundError:
        hint = "prov init --cluster NAME --network CIDR"
        raise NotFoundError(f"{paths.site_file} does not exist", hint=hint) from None
    site, problems = decode_site(parse(paths.site_file.name, text))
    if site is None or problems:
        raise ConfigError(problems)
    return network_of(site)


def _wait_until_up(paths: Paths, process: subprocess.Popen[bytes], log: Path) -> LabState:
    deadline = time.monotonic() + _UP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if state := LabState.read(paths):
            return state
        time.sleep(_POLL_SECONDS)
    process.kill()
    words = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise UnavailableError(f"the lab did not come up:\n{words}", hint=f"less {log}")


def _gone(state: LabState, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not state.supervisor.alive() and not state.first.alive():
            return True
        time.sleep(_POLL_SECONDS)
    return False
