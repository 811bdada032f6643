"""Whether the overlays of every node can be rendered. The answer is kept beside the snapshots.

Rendering ten thousand nodes takes seconds, so it is not part of compiling a site: `prov check` does it, and a
process of the daemon that has time (daemon.lookout). What an earlier answer has shown is not tried again: after an
edit only the nodes that it changed are rendered, those that failed, and one of each kind of the others, for what
is made of all nodes. One of each kind comes first, and what it shows is kept before the rest is tried.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from provisioner import __version__
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, Problem, ProvisionerError
from provisioner.host.files import write_atomically
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.operations.check import Checked, check
from provisioner.operations.secretrefs import secret_problems
from provisioner.registry.collect import SourceFile, collect
from provisioner.registry.published import Published
from provisioner.registry.store import read_current
from provisioner.trust.secrets import SecretFolder, Shape

_MODE = 0o640
_KEPT = 4

Rows = tuple[Sequence[ResolvedNode], Sequence[ResolvedNode]]


class SupersededError(ProvisionerError):
    """Nobody needs the answer any more."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an answer depends on, as digests: overlays with what they include, provisioner.yaml, and each node."""

    overlays: str
    site: str
    nodes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was seen, what was wrong with it, and the nodes that it was wrong for or that were not tried.

    One that is not whole tells what is known before everything was tried.
    """

    seen: Seen
    problems: tuple[Problem, ...]
    failed: frozenset[str] = frozenset()
    is_whole: bool = True


def check_strictly(paths: Paths, catalogue: Catalogue) -> Checked:
    """As `check`, and every overlay of every node is rendered too. Raises ConfigError with every mistake.

    Nothing is kept but what makes the next look quick.
    """
    checked = check(paths, catalogue)
    rendered = render_problems(paths, collect(paths), checked.published, catalogue)
    problems = (*rendered, *secret_problems(paths, checked.published))
    if problems:
        raise ConfigError(problems)
    return checked


def render_problems(
    paths: Paths,
    files: Mapping[str, SourceFile],
    published: Published,
    catalogue: Catalogue,
    *,
    is_wanted: Callable[[], bool] = lambda: True,
) -> tuple[Problem, ...]:
    """What keeps overlays of nodes from being rendered, with file, line and nodes, sorted.

    `published` is the snapshot of `files`. Main thread only, because time is limited by a signal. Raises
    SupersededError as soon as the answer `is_wanted` no more, asked between two nodes.
    """
    seen = _seen(files, published, catalogue, SecretFolder.of(paths.site).shapes())
    answers = list(_answers(paths))
    answer = next((each for each in answers if each.is_whole and each.seen == seen), None) or _tried(
        paths, files, published, catalogue, _ToRender(seen, answers, is_wanted)
    )
    _keep(paths, published.revision, answer)
    return answer.problems


def kept_answer(paths: Paths, revision: str) -> Answer | None:
    """The answer for a revision (its full name) that was looked at; None where nobody looked yet, or long ago."""
    return _read(_place(paths, revision))


@dataclass(frozen=True, slots=True)
class _ToRender:
    """Chooses nodes: those that no answer vouches for, and one of each kind of the others."""

    seen: Seen
    answers: Sequence[Answer]
    is_wanted: Callable[[], bool]

    def nodes(self, snapshot: Snapshot, is_common: Callable[[tuple[str, ...]], bool]) -> Rows:
        """The first node of each kind, and the others that have to be rendered."""
        known = self._best()
        first: dict[object, ResolvedNode] = {}
        others = []
        for name, node in snapshot.nodes.items():
            if first.setdefault(kind_of(node), node) is node:
                continue
            overlays = (*node.system_overlays, *node.runtime_overlays)
            if self.seen.nodes[name] != known.get(name) or not is_common(overlays):
                others.append(node)
        return list(first.values()), others

    def wanted(self, nodes: Sequence[ResolvedNode]) -> Iterator[ResolvedNode]:
        """Nodes one after another; SupersededError when the answer is wanted no more."""
        for node in nodes:
            if not self.is_wanted():
                raise SupersededError("something newer is to be looked at")
            yield node

    def _best(self) -> Mapping[str, str]:
        """The nodes without failures of the answer, to the same overlays and site, that tells most of them."""
        fitting = (_sound(each) for each in self.answers if _is_like(each.seen, self.seen))
        return max(fitting, key=lambda nodes: len(nodes.items() & self.seen.nodes.items()), default={})


def kind_of(node: ResolvedNode) -> object:
    """Equal for nodes whose overlays get the same of what is made of all nodes."""
    interface = node.boot_interface
    return node.system_overlays, node.runtime_overlays, node.image, interface and interface.network


def _tried(
    paths: Paths,
    files: Mapping[str, SourceFile],
    published: Published,
    catalogue: Catalogue,
    chosen: _ToRender,
) -> Answer:
    # The template language takes a while to import, and is not needed while nothing changes.
    from provisioner.operations.trial import trial_of  # noqa: PLC0415 - as said above

    snapshot = published.snapshot()
    trial = trial_of(paths, files, snapshot, catalogue)
    first, others = chosen.nodes(snapshot, trial.is_common)
    for node in chosen.wanted(first):
        trial.render(node)
    if trial.problems and others:
        _keep(
            paths,
            published.revision,
            Answer(chosen.seen, trial.problems, frozenset(snapshot.nodes), is_whole=False),
        )
    for node in chosen.wanted(others):
        trial.render(node)
    return Answer(chosen.seen, trial.problems, trial.failed)


def _sound(answer: Answer) -> Mapping[str, str]:
    if not answer.failed:
        return answer.seen.nodes
    return {name: digest for name, digest in answer.seen.nodes.items() if name not in answer.failed}


def _is_like(one: Seen, other: Seen) -> bool:
    return (one.overlays, one.site) == (other.overlays, other.site)


def _seen(
    files: Mapping[str, SourceFile],
    published: Published,
    catalogue: Catalogue,
    secrets: Mapping[str, Shape | None],
) -> Seen:
    overlays = hashlib.sha256(f"{__version__} {sorted(secrets.items())}".encode())
    for key, each in sorted(files.items()):
        # Overlays, and whatever they may include.
        if not key.startswith(("site/", "templates/")):
            overlays.update(os.fsencode(f"\0{key}\0{each.kind}\0{len(each.content)}\0") + each.content)
    images = _generations(published, catalogue)
    rows = published.rows("SELECT name, shared, own FROM node")
    nodes = {name: _digest(f"{shared} {images[shared]} {own}") for name, shared, own in rows}
    return Seen(overlays.hexdigest(), _digest(published.meta["site"]), nodes)


def _generations(published: Published, catalogue: Catalogue) -> Mapping[str, str]:
    """The generation that nodes would boot, by what they share."""
    shared = published.rows("SELECT id, json_extract(json, '$.image') FROM shared")
    return {key: _generation(catalogue, image) for key, image in shared}


def _generation(catalogue: Catalogue, image: str | None) -> str:
    found = catalogue.find(image) if image else None
    return found.name if found else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def _answers(paths: Paths) -> Iterator[Answer]:
    for place in _places(paths):
        answer = _read(place)
        if answer is not None:
            yield answer


def _read(place: Path) -> Answer | None:
    with suppress(OSError, ValueError, TypeError, KeyError):
        record: dict[str, Any] = json.loads(place.read_bytes())
        problems = tuple(Problem(*each) for each in record["problems"])
        return Answer(Seen(**record["seen"]), problems, frozenset(record["failed"]), record["is_whole"])
    return None


def _keep(paths: Paths, revision: str, answer: Answer) -> None:
    if not paths.state.is_dir():
        return
    seen = {"overlays": answer.seen.overlays, "site": answer.seen.site, "nodes": dict(answer.seen.nodes)}
    record = {
        "seen": seen,
        "problems": [astuple(each) for each in answer.problems],
        "failed": sorted(answer.failed),
        "is_whole": answer.is_whole,
    }
    with suppress(OSError):
        write_atomically(_place(paths, revision), json.dumps(record).encode(), mode=_MODE)
        # Those who look at states that are not served must not push out what `prov status` shows.
        served = _place(paths, read_current(paths) or revision)
        for place in _places(paths)[_KEPT:]:
            if place != served:
                place.unlink(missing_ok=True)


def _place(paths: Paths, revision: str) -> Path:
    # A name from elsewhere must not become a path.
    return paths.snapshots / f"renders-{revision if revision.isalnum() else 'invalid'}.json"


def _places(paths: Paths) -> list[Path]:
    places = [(place.stat().st_mtime_ns, place) for place in paths.snapshots.glob("renders-*.json")]
    return [place for _, place in sorted(places, reverse=True)]
