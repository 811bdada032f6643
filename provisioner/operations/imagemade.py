"""The end of every command that makes a generation: what it came to, and whether the daemon serves it."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.image.build import Outcome
from provisioner.model.image import Generation
from provisioner.operations import live


@dataclass(frozen=True, slots=True)
class Made:
    """The generation that a build or an import led to; `is_new` is false when it is the current one again.

    `unserved` says why the daemon does not serve it yet; empty when it does, or does not run.
    """

    generation: Generation
    is_new: bool
    unserved: str


def served(paths: Paths, outcome: Outcome) -> Made:
    """What a build came to, once a running daemon knows of it."""
    return Made(outcome.generation, outcome.is_new, live.serve_changes(paths))
