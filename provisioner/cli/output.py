"""How commands print: tables for people, JSON and YAML for programs, always on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import click

from provisioner.config.emit import Writable
from provisioner.errors import Problem

F = TypeVar("F", bound=Callable[..., object])
Row = Mapping[str, Writable]

_DRAWN = 500


def format_option(function: F) -> F:
    """Add `--format`, which the command gets as `style`."""
    styles = click.Choice(["table", "json", "yaml"])
    return click.option("--format", "style", type=styles, default="table", help="How to print.")(function)


def write_rows(rows: Sequence[Row], style: str, columns: Sequence[str]) -> None:
    """Print records; a table shows the named columns only, in capitals."""
    if style == "table":
        table([column.upper() for column in columns], [[cell(row.get(name)) for name in columns] for row in rows])
    else:
        write_data(rows, style)


def write_record(record: Row, style: str) -> None:
    """Print one record, in a table as one `key value` line for each key."""
    if style == "table":
        lines(record.items())
    else:
        write_data(record, style)


def write_data(data: Writable, style: str) -> None:
    """Print data as JSON or YAML."""
    if style == "yaml":
        from provisioner.config.emit import block

        click.echo(block(data), nl=False)
    else:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def printable(text: str, *, keep: str = "") -> str:
    r"""A text for people, without what would move a cursor or hide words: `\x1b` and `\n` in place of these.

    Characters in `keep` stay. Data for programs is never changed like this.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else _escaped(each) for each in text)


def say(text: str, *, err: bool = False) -> None:
    """Print lines for people; tabs and ends of lines stay what they are."""
    click.echo(printable(text, keep="\n\t"), err=err)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, aligned plain text into a pipe and where drawing would take long."""
    rows = [list(map(printable, row)) for row in rows]
    if sys.stdout.isatty() and len(rows) <= _DRAWN:
        _draw(columns, rows)
        return
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (columns, *rows))
    click.echo("\n".join("  ".join(cells).rstrip() for cells in padded))


def lines(pairs: Iterable[tuple[str, Writable]]) -> None:
    """Print names and values, the values aligned."""
    shown = [(printable(name), cell(value)) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name.ljust(width)}  {value}".rstrip())


def warn_of_unserved(done: str, reason: str) -> None:
    """Say on standard error that what was done (`written`, `made`) is not served, if there is a reason."""
    if reason:
        say(f"warning: {done}, but not served: {reason}", err=True)


def problems(found: Iterable[Problem]) -> None:
    """Print problems to standard error, in the form that editors jump to."""
    for problem in found:
        say(str(problem), err=True)


def warn_of_problems(count: int) -> None:
    """Say on standard error that what was printed comes from a site with mistakes."""
    if count:
        click.echo(f"warning: {count} problem{'s' if count > 1 else ''} in the site; see prov check", err=True)


def cell(value: Writable) -> str:
    """A value in a table: `-` for nothing, lists and maps on one line."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return printable(value) or "-"
    if isinstance(value, Mapping):
        return " ".join(f"{printable(name)}={cell(each)}" for name, each in value.items()) or "-"
    if isinstance(value, Sequence):
        return " ".join(map(cell, value)) or "-"
    return str(value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(column)
    for row in rows:
        drawn.add_row(*map(escape, row))
    Console().print(drawn)
