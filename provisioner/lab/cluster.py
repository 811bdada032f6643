"""A lab: a network of its own with a daemon and virtual machines in it. Nothing in it outlives it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from provisioner.errors import ConflictError, NotFoundError
from provisioner.lab.daemon import DaemonCommand, LabDaemon
from provisioner.lab.machine import Accelerator, Cable, DirectBoot, MachineFirmware, VirtualMachine
from provisioner.lab.namespace import Command, Namespace
from provisioner.lab.network import BRIDGE, LabNetwork, tap_commands
from provisioner.lab.vm import RunningMachine
from provisioner.model.address import MacAddress

_CAPTURED = "arp or icmp6 or port 67 or port 68 or port 69 or port 4011 or port 53"


class Lab:
    """A context manager. `folder` keeps all logs: `daemon.log`, `lab.pcap`, and a folder for each machine.

    An exception that leaves the lab gets a note that says where they are.
    """

    def __init__(
        self,
        network: LabNetwork,
        folder: Path,
        *,
        daemon: DaemonCommand | None = None,
        accelerator: Accelerator = Accelerator.TCG,
        capture: bool = False,
    ) -> None:
        self.network = network
        self.folder = folder.absolute()
        self.namespace = Namespace()
        self.daemon = LabDaemon(self.namespace, daemon, self.folder / "daemon.log") if daemon else None
        self.machines: dict[str, RunningMachine] = {}
        self._accelerator = accelerator
        self._capture = capture
        self._taps: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(self.namespace)
            for command in self.network.commands():
                self.namespace.run(command)
            if self._capture:
                self._start_capture()
            if self.daemon is not None:
                stack.callback(self.daemon.stop)
                self.daemon.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"the logs of the lab are in {self.folder}: {', '.join(self._logs())}")
        with self._stack:
            for machine in self.machines.values():
                machine.power_off()

    def run(self, command: Command, *, timeout: float = 60) -> str:
        """Run a program on the head, inside the lab's network."""
        return self.namespace.run(command, timeout=timeout)

    def boot(
        self,
        name: str,
        mac: MacAddress,
        *,
        firmware: MachineFirmware = MachineFirmware.BIOS,
        memory: int = 1536,
        direct: DirectBoot | None = None,
        cables: Sequence[Cable] = (),
        drives: Sequence[Path] = (),
        tpm: bool = False,
        variables: Path | None = None,
    ) -> RunningMachine:
        """Switch a machine on; `memory` in MiB. ConflictError when it is on already.

        `cables` are its NICs beside the one in the lab's network, `drives` its disks, `variables` those of its
        firmware, if not a new machine's.
        """
        found = self.machines.get(name)
        if found is not None and found.running:
            raise ConflictError(f"{name} is on already", hint=f"prov lab off {name}")
        tap = self._tap(name)
        machine = VirtualMachine(
            name,
            mac,
            tap,
            firmware=firmware,
            memory=memory,
            direct=direct,
            cables=tuple(cables),
            drives=tuple(drives),
            tpm=tpm,
            variables=variables,
        )
        folder = self.folder / name
        running = RunningMachine.start(self.namespace, machine, folder, accelerator=self._accelerator)
        self.machines[name] = running
        return running

    def machine(self, name: str) -> RunningMachine:
        """A machine that was booted; NotFoundError for any other."""
        if name not in self.machines:
            raise NotFoundError(f"{name} was not booted in this lab", hint=f"prov lab boot {name}")
        return self.machines[name]

    def bytes_sent_to(self, name: str) -> int:
        """How much the network carried to a machine since its first boot, in bytes."""
        tap = self._taps[self.machine(name).machine.name]
        return int(self.run(["cat", f"/sys/class/net/{tap}/statistics/tx_bytes"]))

    def _tap(self, name: str) -> str:
        if name not in self._taps:
            tap = f"tap{len(self._taps)}"
            for command in tap_commands(tap):
                self.namespace.run(command)
            self._taps[name] = tap
        return self._taps[name]

    def _start_capture(self) -> None:
        # It ends with the namespace; nobody else needs it.
        command = ["tcpdump", "-U", "-Z", "root", "-i", BRIDGE, "-w", "lab.pcap", _CAPTURED]
        with (self.folder / "tcpdump.log").open("wb") as output:
            self.namespace.spawn(command, output=output, cwd=self.folder)

    def _logs(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
