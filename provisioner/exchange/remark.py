"""A remark of an importer: something that could not be carried over, or not as it was."""

from __future__ import annotations

from dataclasses import dataclass

# A key of a map, or the index of an item in a list, below the name of a file.
Place = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Remark:
    """What became of one value of the source. Line and column count from 1; 0 means that it has no place.

    `place` is the file and the keys that lead to the value; `value` is shown to people, secrets never.
    """

    file: str
    line: int
    column: int
    place: Place
    value: str
    reason: str
    advice: str = ""

    @property
    def field(self) -> str:
        """The keys as one text: `nodes.n1.image name`."""
        return ".".join(str(step) for step in self.place[1:])

    def __str__(self) -> str:
        """The form that editors jump to: `file:line:column: field: reason`, the advice on a line of its own."""
        value = f" = {self.value}" if self.value else ""
        head = f"{self.file}:{self.line}:{self.column}: {self.field}{value}: {self.reason}"
        return f"{head}\n    hint: {self.advice}" if self.advice else head
