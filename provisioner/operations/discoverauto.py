"""`discovery.accept: auto`: the daemon accepts what is without doubt, by the one door for changes."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.image.store import catalogue
from provisioner.operations.change import commit, draft
from provisioner.operations.discover import accept, proposals

COMMAND = "discovery.accept: auto"
"""What the history shows in place of a command."""

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Accepted:
    """A machine that became a node, and why this one."""

    mac: str
    node: str
    reason: str


def accept_waiting(paths: Paths) -> tuple[Accepted, ...]:
    """Accept every machine whose proposal is safe, 32 at most, as one change.

    Raises what `draft` and `commit` raise; nothing is accepted then. Main thread only.
    """
    safe = [each for each in proposals(paths) if each.is_safe and each.node and each.machine.told][:_AT_ONCE]
    if not safe:
        return ()
    drafted = draft(paths, catalogue(paths), accept(safe))
    commit(drafted, command=COMMAND, message=f"{len(safe)} machines in the order of their arrival")
    return tuple(Accepted(each.machine.mac, each.node or "", "; ".join(each.reasons)) for each in safe)
