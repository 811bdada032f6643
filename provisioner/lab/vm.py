"""A virtual machine that runs: its power, its serial line and what it costs."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from provisioner.errors import UnavailableError
from provisioner.lab import tpm
from provisioner.lab.machine import (
    CONTROL_SOCKET,
    SERIAL_FILE,
    VARIABLES_FILE,
    Accelerator,
    MachineFirmware,
    VirtualMachine,
)
from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Process
from provisioner.lab.qmp import Qmp
from provisioner.lab.serial import SerialLog

_QUIT_SECONDS = 5.0


class RunningMachine:
    """A machine under power. As a context manager it is switched off at the end."""

    def __init__(self, machine: VirtualMachine, process: Process, folder: Path) -> None:
        self.machine = machine
        self.process = process
        self.folder = folder
        self.serial = SerialLog(folder / SERIAL_FILE)

    @classmethod
    def start(
        cls,
        namespace: Namespace,
        machine: VirtualMachine,
        folder: Path,
        *,
        accelerator: Accelerator = Accelerator.TCG,
    ) -> Self:
        """Switch the machine on; `folder` keeps its serial line (`serial.raw`) and QEMU's words (`qemu.log`)."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SERIAL_FILE).write_bytes(b"")
        if machine.firmware is not MachineFirmware.BIOS:
            package = "ovmf" if machine.firmware.architecture == "x86_64" else "qemu-efi-aarch64"
            _copy_variables(machine.variables or machine.firmware.variables, folder, package)
        if machine.tpm:
            tpm.start(namespace, folder)
        with (folder / "qemu.log").open("wb") as output:
            process = namespace.spawn(machine.command(accelerator), output=output, cwd=folder)
        return cls(machine, process, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.power_off()

    @property
    def running(self) -> bool:
        """Whether the machine is on."""
        return self.process.running

    @property
    def exit_status(self) -> int | None:
        """QEMU's exit status; None while the machine is on."""
        return self.process.status

    def wait_for(self, pattern: str, timeout: float) -> re.Match[str]:
        """Wait until the serial line matches; UnavailableError when it does not, or QEMU ends before."""
        try:
            return self.serial.wait_for(pattern, timeout, running=lambda: self.running)
        except UnavailableError as error:
            if not self.running and (words := self._last_words()):
                raise UnavailableError(f"{error.message}\nQEMU said: {words}", hint=error.hint) from None
            raise

    def wait_until_off(self, timeout: float) -> bool:
        """Wait until the machine switched itself off; whether it did."""
        return self.process.wait(timeout)

    def control(self) -> Qmp:
        """A connection to QEMU, to be used as a context manager."""
        return Qmp(self.folder / CONTROL_SOCKET)

    def reset(self) -> None:
        """Press the reset button."""
        with self.control() as control:
            control.reset()

    def power_off(self) -> None:
        """Cut the power: ask QEMU, then end it, then kill it."""
        if not self.running:
            return
        try:
            with self.control() as control:
                control.quit()
        except UnavailableError:
            self.process.send(signal.SIGTERM)
        if not self.process.wait(_QUIT_SECONDS):
            self.process.kill()

    def cpu_seconds(self) -> float:
        """What the machine has cost so far: a better measure than time on a busy machine."""
        return self.process.cpu_seconds()

    def _last_words(self) -> str:
        return (self.folder / "qemu.log").read_text(errors="replace").strip()[-2000:]


def _copy_variables(variables: Path, folder: Path, package: str) -> None:
    try:
        shutil.copyfile(variables, folder / VARIABLES_FILE)
    except FileNotFoundError:
        message = f"UEFI nodes need the firmware {variables}, which does not exist"
        raise UnavailableError(message, hint=f"apt-get install {package}") from None
