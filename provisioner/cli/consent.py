"""The options that every changing command has: what a person said before being asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from provisioner.cli.output import format_option


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person said beforehand: `--yes`, `--plan`, `--message`, `--commit`, `--format`."""

    yes: bool = False
    plan: bool = False
    message: str = ""
    git: bool = False
    style: str = "table"


def change_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that changes the site; it gets them together as `consent`."""

    @wraps(function)
    def collected(*arguments: Any, **options: Any) -> None:
        given = {key: options.pop(key) for key in ("yes", "plan", "message", "git", "style")}
        function(*arguments, consent=Consent(**given), **options)

    changed: Callable[..., None] = collected
    for option in reversed(_OPTIONS):
        changed = option(changed)
    return changed


_OPTIONS = (
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
    click.option("--plan", is_flag=True, help="Show what boots would do differently, and write nothing."),
    click.option("-m", "--message", default="", metavar="TEXT", help="Why, for prov history."),
    click.option("--commit", "git", is_flag=True, help="Commit the files to the git checkout that they are in."),
    format_option,
)
