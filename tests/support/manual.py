"""The manual as a program: pages with their blocks, commands with the output that a page promises.

A block of commands is fenced as `console`. A line that starts with `$ ` is a command, with what continues it
(a backslash at the end, a here-document); the lines below it are what it prints. Without such lines it only has
to succeed. `(exit status N)` as the last line promises another status than 0. What the reader types is a part of
the output: an answer after `[y/N]`, and `^C` in a line of its own.

Any other fenced block whose info string has a path (`yaml nodes.d/rack1.yaml`) is a file of the site. It is
written when the reader gets there, and the site must pass `prov check` then, or fail it if the word `wrong`
follows.

A comment at the top of a page, which readers do not see, says what its commands find: `<!-- run: site -->`
(tests/support/manual_world.py has the words).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

LANGUAGES = frozenset({"console", "diff", "ini", "jinja", "json", "python", "text", "toml", "yaml"})
"""What a block may say it holds; shells are not among them, so that no command escapes."""

_FENCE = "```"
_PROMPT = "$ "
_RUN = re.compile(r"<!-- run: ([a-z0-9 ]+?) -->")
_STATUS = re.compile(r"\(exit status (\d+)\)")
_HERE = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_ANSWER = re.compile(r"(.*\[(?:y/N|Y/n)\]:?) (\S.*)")
_ODD_FENCE = re.compile(r"^(?:\s+```|\s*~~~)")
_LOOSE_COMMAND = re.compile(r"^(?:\s*\$ \S|(?: {4,}|\t)(?:# )?prov |# prov |prov [a-z]+ \S)")
_COMMAND_IN_TEXT = re.compile(r"^(?:\s*\$ \S|(?:# )?prov [a-z]+ )")


class PageError(AssertionError):
    """A page that cannot be read as a program."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page: its text as a shell takes it, and the lines that it shall print.

    `wanted` is None where the page promises success only.
    """

    line: int
    text: str
    wanted: tuple[str, ...] | None
    status: int = 0

    @property
    def answers(self) -> list[tuple[str, str]]:
        """The questions in what it prints, each with what the reader types there."""
        found = (_ANSWER.fullmatch(line) for line in self.wanted or ())
        return [(match[1], match[2]) for match in found if match]

    @property
    def last_words(self) -> str | None:
        """The line after which the reader types Ctrl-C; None where nobody does, empty for any line."""
        shown = list(self.wanted or ())
        if "^C" not in shown:
            return None
        return next((line for line in reversed(shown[: shown.index("^C")]) if line.strip() != "..."), "")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the line of its fence, the words behind it, and the lines inside."""

    line: int
    info: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def language(self) -> str:
        """What the block holds; empty where it does not say so."""
        return self.info[0] if self.info else ""

    @property
    def file(self) -> str | None:
        """The path of the file that the block is, below the site."""
        return self.info[1] if len(self.info) > 1 else None

    @property
    def numbers(self) -> range:
        """The numbers of its lines, fences included."""
        return range(self.line, self.line + len(self.lines) + 2)

    @property
    def escape(self) -> str:
        """Why commands in it would not be run; empty where they are, or where it holds none."""
        if self.language not in LANGUAGES:
            return f"a block of {self.language!r}"
        if self.language == "text" and any(_COMMAND_IN_TEXT.match(line) for line in self.lines):
            return "a command in a block of text"
        return ""

    @property
    def wrong(self) -> bool:
        """Whether the file shows a mistake."""
        return "wrong" in self.info[2:]

    @property
    def text(self) -> str:
        """What is inside."""
        return "".join(f"{line}\n" for line in self.lines)

    def commands(self) -> Iterator[Command]:
        """The commands of a `console` block. PageError where it starts with something else."""
        rest = list(enumerate(self.lines, start=self.line + 1))
        while rest:
            number, first = rest.pop(0)
            if not first.startswith(_PROMPT):
                raise PageError(f"line {number}: a block of commands starts with '$ ', not with {first!r}")
            text = _whole(first.removeprefix(_PROMPT), rest)
            wanted = []
            while rest and not rest[0][1].startswith(_PROMPT):
                wanted.append(rest.pop(0)[1])
            yield _command(number, text, wanted)


@dataclass(frozen=True)
class Page:
    """A page of the manual."""

    name: str
    text: str = field(repr=False)

    @classmethod
    def read(cls, root: Path, path: Path) -> Page:
        """The page of a file below a checkout."""
        return cls(str(path.relative_to(root)), path.read_text())

    @property
    def world(self) -> frozenset[str] | None:
        """The words of its `run:` comment; None without one."""
        found = _RUN.search("\n".join(self.text.splitlines()[:5]))
        return frozenset(found[1].split()) if found else None

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Its fenced blocks, in order. PageError for one that does not end."""
        found, start = [], None
        lines = self.text.splitlines()
        for index, line in enumerate(lines):
            if not line.startswith(_FENCE):
                continue
            if start is None:
                start = index
            else:
                info = tuple(lines[start].removeprefix(_FENCE).split())
                found.append(Block(start + 1, info, tuple(lines[start + 1 : index])))
                start = None
        if start is not None:
            raise PageError(f"{self.name}:{start + 1}: this block does not end")
        return tuple(found)

    @property
    def commands(self) -> list[Command]:
        """All its commands, in order."""
        return [each for block in self.blocks if block.language == "console" for each in block.commands()]

    @property
    def escaping(self) -> list[str]:
        """Every place where a command would not be run: `PAGE:LINE: why`."""
        found = [(block.line, block.escape) for block in self.blocks if block.escape]
        for number, line in self._prose():
            if _ODD_FENCE.match(line) or _LOOSE_COMMAND.match(line):
                found.append((number, "a command or a fence that nobody runs"))
        return [f"{self.name}:{number}: {why}; make it ```console" for number, why in sorted(found)]

    def _prose(self) -> Iterator[tuple[int, str]]:
        """The lines outside of all blocks, with their numbers."""
        inside = {number for block in self.blocks for number in block.numbers}
        numbered = enumerate(self.text.splitlines(), start=1)
        return ((number, line) for number, line in numbered if number not in inside)


def _whole(text: str, rest: list[tuple[int, str]]) -> str:
    """A command with the lines that continue it, which are taken from `rest`."""
    while text.endswith("\\") and rest:
        text += "\n" + rest.pop(0)[1]
    here = _HERE.search(text)
    while here and rest:
        _, line = rest.pop(0)
        text += "\n" + line
        if line.strip() == here[2]:
            return text
    if here:
        raise PageError(f"the here-document {here[2]} does not end before its block")
    return text


def _command(line: int, text: str, wanted: Sequence[str]) -> Command:
    status = _STATUS.fullmatch(wanted[-1]) if wanted else None
    shown = tuple(wanted[:-1] if status else wanted)
    return Command(line, text, shown or None, int(status[1]) if status else 0)
