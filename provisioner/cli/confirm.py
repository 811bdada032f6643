"""The way that every change goes: worked out, shown, asked for, written.

Commands import this at their start, so it imports nothing of what a change takes (`cli.carry`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provisioner.cli.consent import Consent, change_options
from provisioner.config.paths import Paths

__all__ = ["Consent", "carry_out", "change_options"]


def carry_out(
    paths: Paths,
    plan: Callable[[Any], Mapping[str, str | None]],
    consent: Consent,
    *,
    renamed: Mapping[str, str] | None = None,
    undoes: int | None = None,
) -> None:
    """Work out a change (`operations.change.Plan`), show what it does, ask, and write it.

    `renamed` maps new names of nodes to old ones, `undoes` is the change of the history that this one takes back.
    Ends the command with status 2 after `--plan` when something would change, and 1 when the answer is no.
    """
    from provisioner.cli.carry import carry
    from provisioner.image.store import catalogue
    from provisioner.operations.change import draft

    carry(draft(paths, catalogue(paths), plan, renamed), consent, undoes=undoes)
