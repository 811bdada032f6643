"""How sure it is that a machine is the node whose MAC it shows: a ladder, and the rung that a boot reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Rung(IntEnum):
    """What proves a machine, weakest first; a rung counts by itself, whether or not those below it are held.

    Anybody on the wire can show a MAC, and with it UUID and serial number. A port is shown by the network and
    not by the machine. A token is shown by whoever got the script of the node at the node's own address.
    """

    NOTHING = 0
    MAC = 1
    HARDWARE = 2
    PORT = 3
    TOKEN = 4


@dataclass(frozen=True, slots=True)
class Identity:
    """The rungs that a boot held, weakest first, and in words what spoke against it."""

    held: tuple[Rung, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def rung(self) -> Rung:
        """The highest rung held."""
        return max(self.held, default=Rung.NOTHING)

    def record(self) -> dict[str, str | list[str]]:
        """As JSON: `rung`, `held` and `doubts`."""
        held = [each.name.lower() for each in self.held]
        return {"rung": self.rung.name.lower(), "held": held, "doubts": list(self.doubts)}

    def __str__(self) -> str:
        """`token (mac, hardware, token)`, and what speaks against it."""
        rungs = ", ".join(each.name.lower() for each in self.held)
        doubts = f"; in doubt: {'; '.join(self.doubts)}" if self.doubts else ""
        return f"{self.rung.name.lower()} ({rungs}){doubts}" if self.held else f"nothing{doubts}"
