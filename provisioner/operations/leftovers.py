"""Revisions that no boot, no change and nobody else needs any more."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.registry import leftovers
from provisioner.registry.leftovers import Leftovers


def plan_prune(paths: Paths, since: float) -> Leftovers:
    """What `prune` would take now: see `registry.leftovers.find`. The revisions of all recorded boots stay.

    Raises IntegrityError when the events, the history or a kept revision cannot be read.
    """
    return leftovers.find(paths, History(paths.events).revisions(), since)


def prune(paths: Paths, since: float) -> Leftovers:
    """Take what nothing names any more; what was taken. Contents are deleted for good by a later call."""
    found = plan_prune(paths, since)
    leftovers.remove(paths, found)
    return found
