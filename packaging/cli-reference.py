#!/usr/bin/env python3
"""Write docs/cli.md from the commands themselves: what `--help` says, for every command.

Run it after a change of the command line; tests/integration/docs/test_reference.py fails when the page is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from provisioner.cli.main import prov

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"

_WIDTH = 100
_HEAD = """\
# Commands

Made by `packaging/cli-reference.py` from what `--help` prints; do not edit. `provisioner` is the same program as
`prov`.

A command ends with 0 when it did what was asked, with 1 when something is wrong (the message says what, the hint
what to type), and with 2 when the command line itself is wrong. Results go to standard output, everything else to
standard error.
"""


def reference() -> str:
    """The whole page."""
    return _HEAD + "".join(_section(context) for context in _contexts(_context(prov, "prov", None)))


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None and not command.hidden:
                yield from _contexts(_context(command, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    # A fixed width: the page must not depend on the terminal that it is made on.
    width = {"terminal_width": _WIDTH, "max_content_width": _WIDTH}
    return command.context_class(command, info_name=name, parent=parent, **{**command.context_settings, **width})


def _section(context: click.Context) -> str:
    level = "##" if context.parent is None or context.parent.parent is None else "###"
    text = context.command.get_help(context)
    return f"\n{level} {context.command_path}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(reference())
