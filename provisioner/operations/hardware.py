"""Which hardware a node is, as far as anybody told: its tag `model`, or what its system last reported."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.registry.store import open_revision, read_current

_TAG = "model"


def models_of(paths: Paths) -> dict[str, str]:
    """Vendor and model by node; what people wrote wins. Nothing for a node of which neither is known."""
    reported = {
        name: words
        for name, report in History(paths.events).reports().items()
        if (words := " ".join(filter(None, (report.facts.get("vendor"), report.facts.get("model")))))
    }
    return reported | _written(paths)


def _written(paths: Paths) -> dict[str, str]:
    revision = read_current(paths)
    if revision is None:
        return {}
    query = "SELECT node.name, value FROM shared_tag JOIN node USING (shared) WHERE key = ?"
    with open_revision(paths, revision) as published:
        return {str(name): str(value) for name, value in published.rows(query, (_TAG,))}
