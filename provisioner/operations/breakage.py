"""What a change of configuration would keep from being rendered, found out before it is written.

Whoever types a command does not wait for ten thousand nodes: the changed nodes are tried, two hundred of them at
most, of different kinds first. On a large site files that are made of all nodes are left out, because to read all
nodes takes longer than the rest of the command; the daemon tries them a moment later (daemon.lookout).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, Problem
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.operations.strict import kind_of
from provisioner.operations.trial import Failure, Trial, trial_of
from provisioner.registry.collect import SourceFile
from provisioner.registry.published import Published

MOST = 200
"""So many nodes are tried at most."""
WHOLE = 1000
"""Up to so many nodes a site is small: all is tried, and what is made of all nodes too."""

_HINT = "set what the template reads in the same change, or mend the template first: prov overlay edit"


@dataclass(frozen=True, slots=True)
class Side:
    """A site before or after a change: its snapshot, and the collected files."""

    published: Published
    files: Mapping[str, SourceFile]

    @property
    def is_small(self) -> bool:
        """Whether it is quick to read all nodes."""
        ((count,),) = self.published.rows("SELECT COUNT(*) FROM node")
        return int(count) <= WHOLE


@dataclass(frozen=True, slots=True)
class Images:
    """Where images are, and which."""

    paths: Paths
    catalogue: Catalogue

    def tried(self, side: Side, names: Iterable[str]) -> Trial:
        """Some nodes rendered over their images; names that do not exist are left out."""
        if side.is_small:
            snapshot = side.published.snapshot()
            nodes = [snapshot.nodes[name] for name in names if name in snapshot.nodes]
        else:
            nodes = list(side.published.nodes(names).values())
            snapshot = _alone(side.published, nodes)
        trial = trial_of(self.paths, side.files, snapshot, self.catalogue)
        for node in nodes:
            if side.is_small:
                trial.render(node)
            else:
                trial.render_own(node)
        return trial


def broken_by(
    images: Images,
    before: Side,
    after: Side,
    changed: Mapping[str, ResolvedNode | None],
    renamed: Mapping[str, str],
) -> tuple[Problem, ...]:
    """What can be rendered before a change and not after it, with the nodes, sorted.

    `changed` are the nodes as they become, `renamed` maps new names to old ones. What failed for a node before may
    go on failing for it. Main thread only, because time is limited by a signal.
    """
    if not before.published.usable or not after.published.usable:
        return ()
    names = _chosen(before, after, changed)
    trial = images.tried(after, names) if names else None
    if trial is None or not trial.failures:
        return ()
    known = images.tried(before, [renamed.get(name, name) for name in names])
    return tuple(sorted(_added(trial, known, renamed)))


def _chosen(before: Side, after: Side, changed: Mapping[str, ResolvedNode | None]) -> list[str]:
    """The nodes to try: changed ones, and one of each kind of the others where the change may concern them."""
    is_everywhere = before.published.meta["site"] != after.published.meta["site"]
    if not is_everywhere and not changed:
        return []
    others = _one_of_each(after.published) if is_everywhere or after.is_small else ()
    return list(dict.fromkeys(node.name for node in (*_most_different(filter(None, changed.values())), *others)))


def _most_different(nodes: Iterable[ResolvedNode]) -> list[ResolvedNode]:
    """So many nodes as are tried at most; one of each kind before a second one."""
    kinds: dict[object, list[ResolvedNode]] = {}
    for node in nodes:
        # What a template lacks is a tag, most of all.
        kinds.setdefault((kind_of(node), node.groups, frozenset(node.tags)), []).append(node)
    first, more = (each[0] for each in kinds.values()), (node for each in kinds.values() for node in each[1:])
    return list(islice(chain(first, more), MOST))


def _one_of_each(published: Published) -> Iterable[ResolvedNode]:
    names = [name for (name,) in published.rows("SELECT MIN(name) FROM node GROUP BY shared LIMIT ?", (MOST,))]
    return {kind_of(node): node for node in published.nodes(names).values()}.values()


def _alone(published: Published, nodes: Iterable[ResolvedNode]) -> Snapshot:
    """A snapshot of some nodes, with all of the site but the others."""
    site = published.site()
    if site is None:
        # Asked before: nothing is tried then.
        raise IntegrityError(f"provisioner.yaml of revision {published.revision} cannot be used")
    return Snapshot.build(published.revision, site, nodes)


def _added(trial: Trial, known: Trial, renamed: Mapping[str, str]) -> Iterator[Problem]:
    for failure, nodes in trial.failures.items():
        before = frozenset(known.failures.get(failure, ()))
        new = [name for name in nodes if renamed.get(name, name) not in before]
        if new and not known.is_untried(failure):
            yield _hinted(failure, new)


def _hinted(failure: Failure, nodes: list[str]) -> Problem:
    problem = failure.problem(nodes)
    return problem if problem.hint else replace(problem, hint=_HINT)
