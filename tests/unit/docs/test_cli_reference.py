from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import pytest

from provisioner.cli.main import COMMANDS, prov
from tests.unit.docs import pages

each_page = pytest.mark.parametrize("page", pages.PAGES, ids=pages.label)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_and_the_reference_name_every_command(command: str) -> None:
    assert f"| `prov {command}` |" in pages.text("README.md")
    assert f"\n## prov {command}\n" in pages.text("docs/cli.md")


@each_page
def test_every_command_line_that_a_page_shows_is_one_that_prov_takes(page: Path) -> None:
    for line in pages.commands(page.read_text()):
        with missing_files_allowed():
            parse(line)


@each_page
def test_every_command_that_a_page_names_exists_with_these_options(page: Path) -> None:
    for line in pages.mentions(page.read_text()):
        with suppress(click.MissingParameter), missing_files_allowed():
            parse(line)


@contextmanager
def missing_files_allowed() -> Iterator[None]:
    """The files that a page speaks of are not here; tests that run the pages have them."""
    try:
        yield
    except click.BadParameter as error:
        if not re.search(r"No such file|does not exist", error.message):
            raise


def parse(line: str) -> None:
    """Read a command line as click would and run nothing. UsageError tells what is wrong with it."""
    command: click.Command = prov
    name, *words = shlex.split(line)
    context = None
    while isinstance(command, click.Group):
        # The settings go with it: click remembers in a command which help options it had first.
        context = click.Context(command, info_name=name, parent=context, **command.context_settings)
        _, words, _ = command.make_parser(context).parse_args(words)
        if not words:
            return
        found, child, words = command.resolve_command(context, words)
        assert child is not None
        command, name = child, found or ""
    command.make_context(name, words, parent=context)
