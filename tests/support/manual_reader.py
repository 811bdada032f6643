"""A reader of the manual: types every command of a page, and compares what comes with what is promised."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from tests.support.manual import Block, Command, Page
from tests.support.manual_output import Shown
from tests.support.manual_world import SITE, Stores, opened, seconds_of
from tests.support.realsite import BOOT_SECONDS
from tests.support.terminal import Printed, Terminal

# What machines and the daemon do takes its time; a person would ask again too.
_ASKED_AGAIN = ("prov status", "prov boot ", "sqlite3 ")
_PAUSE_SECONDS = 0.5


def follow(page: Page, folder: Path, stores: Stores, left_out: Collection[str] = ()) -> None:
    """Do everything that a page tells, but the commands left out, in a world below a folder.

    AssertionError names the place of the first command that does something else than the page says.
    """
    assert page.world is not None, (
        f"{page.name}: say at the top what its commands find, such as <!-- run: site -->"
    )
    with opened(page.world, folder, stores) as terminal:
        reader = _Reader(page, folder / SITE.relative_to("/"), terminal, seconds_of(page.world))
        for block in page.blocks:
            if block.language == "console":
                for command in block.commands():
                    if command.text not in left_out:
                        reader.do(command)
            elif block.file:
                reader.write(block, block.file)


class _Reader:
    def __init__(self, page: Page, site: Path, terminal: Terminal, patience: float) -> None:
        self._page, self._site, self._terminal, self._patience = page, site, terminal, patience
        self._shown = Shown()

    def do(self, command: Command) -> None:
        deadline = time.monotonic() + min(self._patience, BOOT_SECONDS)
        while not self._is_right(command, printed := self._type(command)):
            again = command.text.startswith(_ASKED_AGAIN) and printed.status is not None
            if not again or time.monotonic() > deadline:
                raise AssertionError(self._complaint(command, printed))
            time.sleep(_PAUSE_SECONDS)

    def write(self, block: Block, name: str) -> None:
        path = self._site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        printed = self._terminal.run("prov check")
        assert printed.status == int(block.wrong), (
            f"{self._page.name}:{block.line}: with this {name}, prov check says:\n{printed.text}"
        )

    def _type(self, command: Command) -> Printed:
        last = command.last_words
        after = None if last is None else self._shown.pattern(last)
        return self._terminal.run(
            command.text, answers=command.answers, interrupt_after=after, timeout=self._patience
        )

    def _is_right(self, command: Command, printed: Printed) -> bool:
        if printed.status != command.status:
            return False
        return command.wanted is None or self._shown.matches(command.wanted, printed.text)

    def _complaint(self, command: Command, printed: Printed) -> str:
        ended = printed.reason or f"exit status {printed.status}"
        head = f"{self._page.name}:{command.line}: {ended}, wanted {command.status}\n$ {command.text}"
        if command.wanted is None:
            return f"{head}\n{printed.text}"
        return f"{head}\n{self._shown.difference(command.wanted, printed.text)}"
