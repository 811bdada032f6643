"""Moments as people type and read them: `--since 2h`, `--since 2026-11-21T08:00`, `2026-11-21T08:00:00Z`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])


def since_option(function: F) -> F:
    """Add `--since`, which the command gets as Unix seconds or None."""
    text = "Only later ones: 30min, 2h, 3d ago, or a date such as 2026-11-21T08:00."
    return click.option("--since", callback=_parsed, metavar="WHEN", help=text)(function)


def _parsed(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Unix seconds; a date without a zone is local time."""
    from provisioner.model.duration import Duration

    if value is None:
        return None
    with suppress(ValueError):
        return time.time() - Duration(value).seconds
    try:
        return datetime.fromisoformat(value).astimezone().timestamp()
    except (ValueError, OverflowError):
        message = f"{value!r} is neither a length of time (30min, 2h, 3d) nor a date (2026-11-21T08:00)"
        raise click.BadParameter(message, context, parameter) from None


def moment(seconds: float) -> str:
    """A point in time in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(then: float) -> str:
    """How long ago something was, in its largest unit that still says something."""
    seconds = int(time.time() - then)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
