"""Every firmware of the lab with every kind of root, each cell a whole boot: `make matrix` prints the table.

Rows and columns are what the product has: a firmware that the lab learns, or a kind of root that nodes can boot
from some day, is here without a change.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioner.boot.policy import BUILT
from provisioner.image.store import catalogue
from provisioner.lab.machine import MachineFirmware
from provisioner.model.boot import BootRecord
from provisioner.model.written import RootKind
from provisioner.operations.boots import timeline
from tests.support.realsite import RealSite, image_store, mac

MEMORY = 1536
"""MiB of every machine."""

_DISK = 4 << 30
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Cell:
    """One boot: how it ended, seconds from the first packet to that, bytes that were sent to the machine.

    `root` is the memory that files of the root take, `used` what the whole system takes, `tree` the unpacked
    image, all in bytes.
    """

    firmware: MachineFirmware
    kind: RootKind
    state: str
    seconds: float = 0.0
    sent: int = 0
    root: int = 0
    used: int = 0
    tree: int = 0

    @property
    def part(self) -> float:
        """What part of the unpacked image the root takes."""
        return self.root / self.tree


def cells() -> list[tuple[MachineFirmware, RootKind]]:
    """What there is to boot, row by row. Another processor needs another image (test_arm64.py)."""
    rows = [firmware for firmware in MachineFirmware if firmware.architecture == "x86_64"]
    return [(firmware, kind) for firmware in rows for kind in RootKind if kind in BUILT]


def boot_cell(site: RealSite, firmware: MachineFirmware, kind: RootKind) -> Cell:
    """Boot one machine, look at it, and switch it off again; each firmware has a node of its own."""
    number = list(MachineFirmware).index(firmware) + 1
    name = f"n{number:03}"
    site.prov("node", "set", name, "--yes", f"root.kind={kind}")
    before = site.last_boot(name)
    machine = site.lab.boot(name, mac(number), firmware=firmware, memory=MEMORY, drives=_drives(site, kind, name))
    try:
        boot = site.wait_for_boot(name, after=before.id if before else None)
        return _cell(site, boot, firmware, kind)
    finally:
        machine.power_off()


def _drives(site: RealSite, kind: RootKind, name: str) -> tuple[Path, ...]:
    if kind is not RootKind.DISK:
        return ()
    drive = site.root / f"{name}.disk"
    with drive.open("wb") as stream:
        stream.truncate(_DISK)
    return (drive,)


def _cell(site: RealSite, boot: BootRecord, firmware: MachineFirmware, kind: RootKind) -> Cell:
    if boot.state not in {"ready", "degraded"}:
        return Cell(firmware, kind, f"{boot.state}: {boot.reason}")
    facts = {key: int(value) << 10 for key, value in site.status(boot.node)["facts"].items() if "memory" in key}
    generation = catalogue(site.paths).find(boot.generation)
    steps = timeline(site.paths, boot.node).steps
    return Cell(
        firmware,
        kind,
        boot.state,
        seconds=next(step.at for step in steps if step.name == boot.state) - steps[0].at,
        sent=sum(step.bytes or 0 for step in steps),
        root=facts["root_memory"],
        used=facts["memory_total"] - facts["memory_available"],
        tree=generation.tree_size if generation else 0,
    )


def lines(found: Iterable[Cell]) -> Iterator[str]:
    """The table, a line at a time."""
    titles = f"{'SECONDS':>8}{'SENT MiB':>10}{'ROOT MiB':>10}{'PART':>6}{'USED MiB':>10}"
    yield f"{'FIRMWARE':<10}{'ROOT':<10}{'STATE':<10}{titles}"
    for cell in found:
        start = f"{cell.firmware:<10}{cell.kind:<10}{cell.state:<10}"
        if not cell.tree:
            yield start
            continue
        sizes = f"{cell.sent / _MIB:>10.0f}{cell.root / _MIB:>10.0f}{cell.part:>6.2f}{cell.used / _MIB:>10.0f}"
        yield f"{start}{cell.seconds:>8.0f}{sizes}"


def main() -> int:
    """Boot all cells, one after the other, and print the table as it grows."""
    ended: list[Cell] = []
    with (
        tempfile.TemporaryDirectory(prefix="matrix-") as folder,
        RealSite.make(Path(folder), image_store()) as site,
    ):
        for line in lines(_booted(site, ended)):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return 0 if all(cell.state == "ready" for cell in ended) else 1


def _booted(site: RealSite, ended: list[Cell]) -> Iterator[Cell]:
    for firmware, kind in cells():
        ended.append(boot_cell(site, firmware, kind))
        yield ended[-1]


if __name__ == "__main__":
    sys.exit(main())
