"""What a machine measured into its TPM while it started, and what of it differs from the boot before.

Stage 1 reads the registers (PCR 0 to 9, SHA-256) and reports them. That shows a change of firmware, its settings
(0 to 7) or loaders (4, 8, 9) to people; it proves nothing, because whoever altered stage 1 reports what he likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event

_STARTED = "stage1.started"
_REGISTERS = range(10)
_SHOWN = 8
_LOOKED_AT = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """The registers of a boot in hexadecimal, by number.

    `changed` are those that differ from the boot `before`, where there is one.
    """

    registers: Mapping[int, str]
    before: str | None
    changed: tuple[int, ...]

    def __str__(self) -> str:
        values = ", ".join(f"{number} {value[:_SHOWN]}" for number, value in self.registers.items())
        if self.before is None:
            return f"PCR {values}"
        changed = f"{', '.join(map(str, self.changed))} not" if self.changed else "all"
        return f"PCR {values}; {changed} as in boot {self.before}"

    def record(self) -> dict[str, str | list[int] | dict[str, str] | None]:
        """Plain data for programs."""
        registers = {str(number): value for number, value in self.registers.items()}
        return {"registers": registers, "before": self.before, "changed": list(self.changed)}


def measured(paths: Paths, boot: BootRecord, events: Iterable[Event]) -> Measured | None:
    """What the machine of a boot measured; None where it told nothing, as without a TPM."""
    registers = _registers(events)
    if not registers:
        return None
    history = History(paths.events)
    for each in history.boots(boot.node, limit=_LOOKED_AT):
        if each.opened < boot.opened and (earlier := _registers(history.timeline(each.id))):
            changed = tuple(number for number in _REGISTERS if registers.get(number) != earlier.get(number))
            return Measured(registers, each.id, changed)
    return Measured(registers, None, ())


def _registers(events: Iterable[Event]) -> dict[int, str]:
    told = next((event.data for event in events if event.name == _STARTED), {})
    return {number: str(told[f"pcr{number}"]).lower() for number in _REGISTERS if told.get(f"pcr{number}")}
