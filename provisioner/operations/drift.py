"""Whether running nodes have the runtime overlays that they should have.

Nothing is rendered for this. A node holds a question open for as long as it runs (http.runtime), so the daemon has
looked for each of them at the revision that it serves, a few seconds after an edit, and knows the digest that it
should have. The last report of the node tells the digest that it has applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.events.history import Report
from provisioner.model.boot import BootRecord
from provisioner.model.resolved import ResolvedNode
from provisioner.operations import live
from provisioner.overlay.rendered import pack

_RUNNING = frozenset({"ready", "degraded"})
# What an agent says that was told that there is nothing, and the archive without files.
_NONE = "none"


class OverlayState(StrEnum):
    """What a running node has, next to what it should have.

    `pending` nodes will get something, or have not looked since the last edit. It is `unknown` where no daemon
    runs, and where a node has not asked since it started. `NONE` stands for nodes that do not run, or have none.
    """

    CURRENT = "current"
    PENDING = "pending"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the daemon knows: since when it serves its revision, digest and time of looks at it, who is behind."""

    since: float
    looked: Mapping[str, tuple[str, float]]
    behind: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, paths: Paths) -> Looked | None:
        """As the daemon tells it, None when it does not run or does not answer."""
        try:
            answer: dict[str, Any] | None = live.runtime(paths)
        except UnavailableError:
            return None
        if answer is None:
            return None
        looked = {node: (digest, time) for node, (digest, time) in answer["looked"].items()}
        return cls(answer["since"], looked, frozenset(answer["behind"]))


def overlay_state(
    node: ResolvedNode, boot: BootRecord | None, report: Report | None, looked: Looked | None
) -> tuple[OverlayState, float | None]:
    """The state of the runtime overlays of a node, and since when (Unix seconds) they are pending or failed.

    `report` is the last one of this boot.
    """
    applied = report.facts.get("runtime_sha256") if report else None
    if boot is None or boot.state not in _RUNNING or (not node.runtime_overlays and applied in {None, _NONE}):
        return OverlayState.NONE, None
    if report and report.facts.get("runtime_failed"):
        return OverlayState.FAILED, report.time
    if looked is None:
        return OverlayState.UNKNOWN, None
    if node.name in looked.behind:
        return OverlayState.PENDING, looked.since
    if node.name not in looked.looked:
        return OverlayState.UNKNOWN, None
    digest, time = looked.looked[node.name]
    is_same = applied == digest or (applied == _NONE and digest == pack([]).sha256)
    return (OverlayState.CURRENT, None) if is_same else (OverlayState.PENDING, time)
