"""What the head node last made of the runtime overlays of each node that asked: what drift is told by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Look:
    """A look for a node: the digest of its archive, of which revision and generation, and when (Unix seconds)."""

    revision: str
    generation: str
    digest: str
    time: float


@dataclass
class Looks:
    """The last look for each node, since the daemon started."""

    _last: dict[str, Look] = field(default_factory=dict)

    def find(self, node: str, revision: str, generation: str) -> Look | None:
        """The last look for a node, if it was at this revision and generation."""
        look = self._last.get(node)
        return look if look and (look.revision, look.generation) == (revision, generation) else None

    def add(self, node: str, look: Look) -> Look:
        """Keep a look in the place of an earlier one."""
        self._last[node] = look
        return look

    def told(self, revision: str) -> Mapping[str, object]:
        """For the control socket: `looked` has digest and time of nodes that asked at a revision.

        `behind` are the nodes that asked at an earlier one only.
        """
        return {"looked": dict(self._at(revision)), "behind": [*self._behind(revision)]}

    def _at(self, revision: str) -> Iterator[tuple[str, tuple[str, float]]]:
        return ((node, (each.digest, each.time)) for node, each in self._last.items() if each.revision == revision)

    def _behind(self, revision: str) -> Iterator[str]:
        return (node for node, each in self._last.items() if each.revision != revision)
