"""A TPM for a virtual machine: swtpm, the same one each time that the machine is switched on."""

from __future__ import annotations

import time
from pathlib import Path

from provisioner.errors import UnavailableError
from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Process

SOCKET = "tpm.sock"
LOG = "tpm.log"
STATE = "tpm"
"""Its memory, below the folder of the machine: without it the machine gets another TPM."""

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
    (folder / STATE).mkdir(exist_ok=True)
    (folder / SOCKET).unlink(missing_ok=True)
    place = ("--tpmstate", f"dir={STATE}", "--ctrl", f"type=unixio,path={SOCKET}")
    with (folder / LOG).open("wb") as output:
        process = namespace.spawn(["swtpm", "socket", "--tpm2", "--terminate", *place], output=output, cwd=folder)
    deadline = time.monotonic() + _READY_SECONDS
    while not (folder / SOCKET).exists():
        if time.monotonic() > deadline or not process.running:
            words = (folder / LOG).read_text(errors="replace").strip()
            raise UnavailableError(f"the TPM does not start: {words}", hint=f"less {folder / LOG}")
        time.sleep(0.01)
    return process
