"""What somebody ordered for the next boot of a node, and what its failed boots made of it."""

from __future__ import annotations

from dataclasses import dataclass

RESCUE, MEMTEST, DISK = "rescue", "memtest", "disk"
WORDS = (RESCUE, MEMTEST, DISK)
"""What a node can be told to boot once, besides a generation of an image."""


@dataclass(frozen=True, slots=True)
class Once:
    """An order for one boot: one of `WORDS`, or a generation (NAME@NUMBER); given by whom, and when.

    `boots` are the ids of boots whose script followed it; `taken` is when the last one went out. Unix seconds.
    """

    what: str
    given: float
    by: str
    boots: tuple[str, ...] = ()
    taken: float | None = None

    @property
    def generation(self) -> str | None:
        """The generation that is ordered; None where none is named."""
        return self.what if "@" in self.what else None

    def __str__(self) -> str:
        """`once rescue, ordered by root`."""
        return f"once {self.what}, ordered by {self.by}"


@dataclass(frozen=True, slots=True)
class Fallback:
    """A node boots the generation `good`, not its own, `failed`, of which `count` boots failed; Unix seconds."""

    failed: str
    good: str
    since: float
    count: int

    def __str__(self) -> str:
        """`debian-12@1, because 3 boots of debian-12@2 failed`."""
        return f"{self.good}, because {self.count} boots of {self.failed} failed"


@dataclass(frozen=True, slots=True)
class Control:
    """All of it for one node. Boots before `since` (Unix seconds) are not counted as failed."""

    once: Once | None = None
    fallback: Fallback | None = None
    since: float = 0.0


NOTHING = Control()
