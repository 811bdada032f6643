"""Carrying out an edit of the site's files, and having the daemon serve it before the command returns."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.model.catalogue import Catalogue
from provisioner.operations import live
from provisioner.registry.edit import Plan, edit


@dataclass(frozen=True, slots=True)
class Applied:
    """The files that an edit changed, below the site root; `unserved` says why no daemon serves them yet.

    `unserved` is empty when the daemon serves them, or does not run.
    """

    files: tuple[str, ...]
    unserved: str = ""


def apply(paths: Paths, catalogue: Catalogue, plan: Plan) -> Applied:
    """Write what a plan says. Raises what `registry.edit.edit` raises; what is written stays, served or not."""
    written = edit(paths, catalogue, plan)
    return Applied(written, live.serve_changes(paths) if written else "")
