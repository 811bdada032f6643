"""Steps of a set-up as values: what is found, what would be done, and with which actions."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from provisioner.operations.init import NewSite


@dataclass(frozen=True, slots=True)
class Run:
    """A program with its arguments; `seconds` is how long it may take."""

    words: tuple[str, ...]
    seconds: float = 120

    def __str__(self) -> str:
        """What a person would type."""
        return shlex.join(self.words)


@dataclass(frozen=True, slots=True)
class Write:
    """A file of the machine's with its whole content."""

    path: Path
    content: bytes
    mode: int = 0o644

    def __str__(self) -> str:
        """Which file."""
        return f"write {self.path}"


@dataclass(frozen=True, slots=True)
class Append:
    """A line at the end of a file that people write."""

    path: Path
    line: str

    def __str__(self) -> str:
        """Which line and file."""
        return f"append {self.line!r} to {self.path}"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    path: Path
    target: Path

    def __str__(self) -> str:
        """What a person would type."""
        return f"ln -s {self.target} {self.path}"


@dataclass(frozen=True, slots=True)
class MakeSite:
    """The first provisioner.yaml."""

    new: NewSite

    def __str__(self) -> str:
        """What a person would type."""
        return f"prov init --cluster {self.new.cluster} --network {self.new.network} --server {self.new.server}"


@dataclass(frozen=True, slots=True)
class MakeKey:
    """The key of the site."""

    def __str__(self) -> str:
        """What it is."""
        return "make site.key"


Action = Run | Write | Append | Link | MakeSite | MakeKey


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, what is found, what is to be done (empty: nothing), and how.

    `found` and `change` are parts of a sentence for people. `by_hand` is what only a person can do.
    """

    name: str
    found: str
    change: str = ""
    actions: tuple[Action, ...] = ()
    by_hand: str = ""

    def record(self) -> dict[str, str | list[str]]:
        """The step as data for programs."""
        return {
            "step": self.name,
            "found": self.found,
            "change": self.change,
            "actions": [str(each) for each in self.actions],
            "by_hand": self.by_hand,
        }
