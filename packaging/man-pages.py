#!/usr/bin/env python3
"""man-pages.py FOLDER: a manual page of section 8 for every command, from what `--help` says (man(7))."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from provisioner import __version__
from provisioner.cli.main import COMMANDS, prov

_SPECIAL = re.compile(r"^([.'])", re.MULTILINE)
_SEE = "prov(8). The documentation is in /usr/share/doc/provisioner."


def pages() -> Iterator[tuple[str, str]]:
    """The name of each page, `prov-node-add`, and its text."""
    for context in _contexts(click.Context(prov, info_name="prov")):
        yield context.command_path.replace(" ", "-"), _page(context)


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None and not command.hidden:
                yield from _contexts(command.context_class(command, info_name=name, parent=context))


def _page(context: click.Context) -> str:
    command, name = context.command, context.command_path
    summary = command.get_short_help_str(300).rstrip(".")
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [
        f'.TH {_quoted(name.replace(" ", "-").upper())} 8 "" {_quoted(f"provisioner {__version__}")}',
        f".SH NAME\n{_escaped(name.replace(' ', '-'))} \\- {_escaped(summary)}",
        f".SH SYNOPSIS\n.B {_escaped(name)}\n{_escaped(usage)}",
        f".SH DESCRIPTION\n{_paragraphs(command.help or summary)}",
        *_options(context),
        *_commands(context),
        f".SH SEE ALSO\n{_escaped(_SEE)}",
    ]
    return "\n".join(parts) + "\n"


def _options(context: click.Context) -> Iterator[str]:
    records = (each.get_help_record(context) for each in context.command.get_params(context))
    rows = [f".TP\n.B {_escaped(names)}\n{_escaped(text)}" for names, text in filter(None, records) if text]
    if rows:
        yield "\n".join((".SH OPTIONS", *rows))


def _commands(context: click.Context) -> Iterator[str]:
    command = context.command
    if not isinstance(command, click.Group):
        return
    rows = []
    for name in command.list_commands(context):
        each = command.get_command(context, name)
        if each is not None and not each.hidden:
            said = COMMANDS[name][1] if command is prov else each.get_short_help_str(300)
            page = f"{context.command_path} {name}".replace(" ", "-")
            rows.append(f".TP\n.B {_escaped(page)}(8)\n{_escaped(said)}")
    yield "\n".join((".SH COMMANDS", *rows))


def _paragraphs(text: str) -> str:
    """Paragraphs that are filled, but for those that click leaves as they are (a backspace in front)."""
    found = []
    for each in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in each.splitlines()]
        if lines[0] == "\b":
            found.append(".nf\n" + "\n".join(map(_escaped, lines[1:])) + "\n.fi")
        else:
            found.append(_escaped(" ".join(lines)))
    return "\n.PP\n".join(found)


def _escaped(text: str) -> str:
    """Text that roff prints as it is: no request at the start of a line, no hyphen for a minus (groff_char(7))."""
    return _SPECIAL.sub(r"\\&\1", text.replace("\\", "\\e").replace("-", "\\-"))


def _quoted(text: str) -> str:
    return f'"{text}"'


def main(folder: Path) -> None:
    """Write all pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / f"{name}.8").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
