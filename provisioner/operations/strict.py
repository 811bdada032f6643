"""Whether the overlays of every node can be rendered. The answer is kept beside the snapshots.

Rendering ten thousand nodes takes seconds, so it is not part of compiling a site, which a daemon does after every
edit. What an earlier answer has shown is not tried again: after an edit only the nodes that it changed are
rendered, and one of each kind of the others, for what is made of all nodes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from provisioner import __version__
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, Problem
from provisioner.host.files import write_atomically
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.operations.check import Checked, check
from provisioner.registry.collect import SourceFile, collect
from provisioner.registry.published import Published

_MODE = 0o640
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """What an answer depends on, as digests: all overlays, provisioner.yaml, and each node."""

    overlays: str
    site: str
    nodes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was seen, and what was wrong with it."""

    seen: Seen
    problems: tuple[Problem, ...]


def check_strictly(paths: Paths, catalogue: Catalogue) -> Checked:
    """As `check`, and every overlay of every node is rendered too. Raises ConfigError with every mistake.

    Nothing is kept but what makes the next look quick.
    """
    checked = check(paths, catalogue)
    problems = render_problems(paths, collect(paths), checked.published)
    if problems:
        raise ConfigError(problems)
    return checked


def render_problems(paths: Paths, files: Mapping[str, SourceFile], published: Published) -> tuple[Problem, ...]:
    """What keeps overlays of nodes from being rendered, with file, line and nodes, sorted.

    `published` is the snapshot of `files`. Main thread only, because time is limited by a signal.
    """
    seen = _seen(files, published)
    answers = list(_answers(paths))
    for answer in answers:
        if answer.seen == seen:
            return answer.problems
    # The template language takes a while to import, and is not needed while nothing changes.
    from provisioner.operations.trial import Trial  # noqa: PLC0415 - as said above
    from provisioner.overlay.source import WrittenFiles  # noqa: PLC0415 - as said above

    snapshot = published.snapshot()
    trial = Trial(WrittenFiles(files), snapshot)
    for node in _to_render(seen, answers, snapshot, trial.is_common):
        trial.render(node)
    _keep(paths, published.revision, Answer(seen, trial.problems))
    return trial.problems


def kept_problems(paths: Paths, revision: str) -> tuple[Problem, ...] | None:
    """The answer for a revision (its full name) that was looked at; None where nobody looked yet, or long ago."""
    answer = _read(_place(paths, revision))
    return None if answer is None else answer.problems


def _to_render(
    seen: Seen, answers: list[Answer], snapshot: Snapshot, is_common: Callable[[tuple[str, ...]], bool]
) -> Iterator[ResolvedNode]:
    known = _best(seen, answers)
    classes: set[object] = set()
    for name, node in snapshot.nodes.items():
        overlays = (node.system_overlays, node.runtime_overlays)
        interface = node.boot_interface
        if seen.nodes[name] != known.get(name) or not is_common((*overlays[0], *overlays[1])):
            yield node
        elif (kind := (overlays, interface and interface.network)) not in classes:
            classes.add(kind)
            yield node


def _best(seen: Seen, answers: list[Answer]) -> Mapping[str, str]:
    """The nodes of the clean answer, to the same overlays and site, that has most nodes in common."""
    fitting = (each.seen.nodes for each in answers if not each.problems and _is_like(each.seen, seen))
    return max(fitting, key=lambda nodes: len(nodes.items() & seen.nodes.items()), default={})


def _is_like(one: Seen, other: Seen) -> bool:
    return (one.overlays, one.site) == (other.overlays, other.site)


def _seen(files: Mapping[str, SourceFile], published: Published) -> Seen:
    overlays = hashlib.sha256(__version__.encode())
    for key, each in sorted(files.items()):
        if key.startswith("overlays/"):
            overlays.update(os.fsencode(f"\0{key}\0{each.kind}\0{len(each.content)}\0") + each.content)
    rows = published.rows("SELECT name, shared, own FROM node")
    nodes = {name: _digest(f"{shared} {own}") for name, shared, own in rows}
    return Seen(overlays.hexdigest(), _digest(published.meta["site"]), nodes)


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
        return Answer(Seen(**record["seen"]), tuple(Problem(*each) for each in record["problems"]))
    return None


def _keep(paths: Paths, revision: str, answer: Answer) -> None:
    if not paths.state.is_dir():
        return
    seen = {"overlays": answer.seen.overlays, "site": answer.seen.site, "nodes": dict(answer.seen.nodes)}
    record = {"seen": seen, "problems": [astuple(each) for each in answer.problems]}
    with suppress(OSError):
        write_atomically(_place(paths, revision), json.dumps(record).encode(), mode=_MODE)
        for place in _places(paths)[_KEPT:]:
            place.unlink(missing_ok=True)


def _place(paths: Paths, revision: str) -> Path:
    # A name from elsewhere must not become a path.
    return paths.snapshots / f"renders-{revision if revision.isalnum() else 'invalid'}.json"


def _places(paths: Paths) -> list[Path]:
    places = [(place.stat().st_mtime_ns, place) for place in paths.snapshots.glob("renders-*.json")]
    return [place for _, place in sorted(places, reverse=True)]
