"""What a storm is made of: the machines, their network, and what it does to their packets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

STEPS = (
    "firmware dhcp",
    "loader",
    "ipxe dhcp",
    "script",
    "kernel",
    "stage1",
    "started",
    "sheet",
    "root",
    "overlay",
    "handover",
    "report",
)
"""The steps of a boot that talk to the head node, in their order."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to packets, as parts of 1; `delay` in seconds, one way, up to half more at random."""

    loss: float = 0.0
    duplicates: float = 0.0
    reordering: float = 0.0
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Think:
    """Seconds for which a machine is busy with itself.

    Measured with SeaBIOS, iPXE and Debian 12 in a virtual machine: the first DISCOVER 3 s after power-on, stage 1
    at 8.4 s, the root mounted at 9.8 s, the first report at 28.5 s. UEFI takes 10 s where a BIOS takes 3 s.
    """

    bios: float = 3.0
    uefi: float = 10.0
    loader: float = 2.5
    kernel: float = 2.9
    mount: float = 1.0
    system: float = 18.7


@dataclass(frozen=True, slots=True)
class Client:
    """One machine. Every second one has UEFI."""

    name: str
    mac: str
    address: str
    uefi: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A storm. Rates are bytes a second, 0 for no limit; `patience` is the seconds after which a node has failed.

    All machines are switched on within `spread` seconds. `think` is what their times are multiplied with.
    """

    head: str
    relay: str
    weather: Weather = Weather()
    seed: int = 1
    think: float = 1.0
    spread: float = 0.0
    port: int = 0
    link: int = 0
    patience: float = 1800.0
    loader_sha256: str = ""
    dhcp_port: int = 67
    tftp_port: int = 69


def write_crowd(file: Path, plan: Plan, clients: Sequence[Client]) -> None:
    """Write what one process of clients does."""
    file.write_text(json.dumps({"plan": asdict(plan), "clients": [asdict(each) for each in clients]}))


def read_crowd(file: Path) -> tuple[Plan, list[Client]]:
    """What `write_crowd` wrote."""
    data = json.loads(file.read_text())
    fields = dict(data["plan"])
    fields["weather"] = Weather(**fields["weather"])
    return Plan(**fields), [Client(**each) for each in data["clients"]]
