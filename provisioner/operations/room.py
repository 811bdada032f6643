"""Whether the roots of nodes fit into the memory that their machines have told of, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from provisioner.boot.fitness import Misfit, misfit
from provisioner.boot.policy import BUILT
from provisioner.config.paths import Paths
from provisioner.errors import Problem
from provisioner.events.history import History
from provisioner.model.catalogue import Catalogue
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode

_NODE = "{node}"
Changed = Mapping[str, tuple[ResolvedNode | None, ResolvedNode | None]]


def misfits_by(paths: Paths, catalogue: Catalogue, changed: Changed) -> tuple[Problem, ...]:
    """What fits before a change and not after it, with the nodes. Each is told at the place that says so."""
    concerned = [(old, new) for old, new in changed.values() if new is not None and _differ(old, new)]
    if not concerned:
        return ()
    memories = History(paths.events).memories(new.name for _, new in concerned)
    found: dict[tuple[str, str], list[ResolvedNode]] = {}
    for old, new in concerned:
        after = _look(new, catalogue, memories)
        if after and _look(old, catalogue, memories) is None:
            key = (after.reason.replace(new.name, _NODE), after.hint.replace(new.name, _NODE))
            found.setdefault(key, []).append(new)
    return tuple(_problems(found))


def _differ(old: ResolvedNode | None, new: ResolvedNode) -> bool:
    return old is None or (old.root, old.image) != (new.root, new.image)


def _look(node: ResolvedNode | None, catalogue: Catalogue, memories: Mapping[str, int]) -> Misfit | None:
    generation = catalogue.find(node.image) if node and node.image else None
    if node is None or generation is None or not generation.boots or node.root.kind not in BUILT:
        return None
    return misfit(node, generation, memories.get(node.name), BUILT)


def _problems(found: Mapping[tuple[str, str], Iterable[ResolvedNode]]) -> Iterator[Problem]:
    for (reason, hint), nodes in found.items():
        names = fold(node.name for node in nodes)
        first = next(iter(nodes))
        places = first.provenance.get("root.kind") or first.provenance.get("image") or ()
        file, line, column = (places[-1].file, places[-1].line, places[-1].column) if places else ("", 0, 0)
        yield Problem(file, line, column, reason.replace(_NODE, names), hint.replace(_NODE, names))
