"""A TPM for a virtual machine: swtpm, with a state that is new at each power-on of the machine."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from provisioner.errors import UnavailableError
from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Process

SOCKET = "tpm.sock"
LOG = "tpm.log"

_STATE = "tpm"
_READY_SECONDS = 10.0


def options(device: str = "tpm-crb") -> list[str]:
    """The TPM 2.0 as QEMU wants it."""
    return [
        *("-chardev", f"socket,id=tpm0,path={SOCKET}"),
        *("-tpmdev", "emulator,id=tpm0,chardev=tpm0", "-device", f"{device},tpmdev=tpm0"),
    ]


def start(namespace: Namespace, folder: Path) -> Process:
    """Start the TPM of the machine in `folder`; it ends with the machine.

    UnavailableError when it does not start.
    """
    shutil.rmtree(folder / _STATE, ignore_errors=True)
    (folder / _STATE).mkdir()
    (folder / SOCKET).unlink(missing_ok=True)
    place = ("--tpmstate", f"dir={_STATE}", "--ctrl", f"type=unixio,path={SOCKET}")
    with (folder / LOG).open("wb") as output:
        process = namespace.spawn(["swtpm", "socket", "--tpm2", "--terminate", *place], output=output, cwd=folder)
    deadline = time.monotonic() + _READY_SECONDS
    while not (folder / SOCKET).exists():
        if time.monotonic() > deadline or not process.running:
            words = (folder / LOG).read_text(errors="replace").strip()
            raise UnavailableError(f"the TPM does not start: {words}", hint=f"less {folder / LOG}")
        time.sleep(0.01)
    return process
