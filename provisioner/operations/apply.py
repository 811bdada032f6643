"""Carrying out an edit of the site's files, and having the daemon serve it before the command returns."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.model.catalogue import Catalogue
from provisioner.operations import live
from provisioner.registry.edit import Plan, edit


def apply(paths: Paths, catalogue: Catalogue, plan: Plan) -> tuple[str, ...]:
    """Write what a plan says; returns the files that changed. Raises what `registry.edit.edit` raises."""
    written = edit(paths, catalogue, plan)
    if written:
        live.reload(paths)
    return written
