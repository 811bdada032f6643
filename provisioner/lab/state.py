"""What a running lab leaves in the run directory, so that commands find it and end exactly what was started."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.host.files import write_atomically
from provisioner.lab.process import Identity


@dataclass(frozen=True, slots=True)
class LabState:
    """The process that holds the lab, the first process inside it, and the folder of its logs."""

    supervisor: Identity
    first: Identity
    folder: str

    def write(self, paths: Paths) -> None:
        """Leave it for other commands."""
        write_atomically(state_file(paths), json.dumps(asdict(self)).encode(), mode=0o600)

    @classmethod
    def read(cls, paths: Paths) -> LabState | None:
        """The lab that runs, or None; what an ended lab left behind counts as none."""
        file = state_file(paths)
        try:
            fields = json.loads(file.read_bytes())
            state = cls(Identity(**fields["supervisor"]), Identity(**fields["first"]), fields["folder"])
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            raise UnavailableError(f"{file} is not what a lab leaves", hint=f"rm {file}") from None
        return state if state.supervisor.alive() else None


def state_file(paths: Paths) -> Path:
    """Where a lab says what it is."""
    return paths.run / "lab.json"


def socket_file(paths: Paths) -> Path:
    """Where a lab takes requests."""
    return paths.run / "lab.sock"


def log_folder(paths: Paths) -> Path:
    """Where a lab keeps its logs."""
    return paths.run / "lab"


def serial_file(paths: Paths, node: str) -> Path:
    """The serial line of a node of the lab, from its last boot on."""
    return log_folder(paths) / node / "serial.raw"
