"""The boots of many nodes rehearsed, grouped by what comes of them. It needs no daemon and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError
from provisioner.events.history import History
from provisioner.image.unified import is_current
from provisioner.model.catalogue import Catalogue
from provisioner.model.nodeset import fold
from provisioner.operations.artifacts import Artifacts
from provisioner.operations.bootcontrol import orders
from provisioner.operations.firmware import Asker
from provisioner.operations.likeness import Likeness
from provisioner.operations.rehearsal import Rehearsal, Stage, Step, rehearse
from provisioner.operations.select import select
from provisioner.operations.side import Side
from provisioner.operations.storedimages import StoredImages
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.includes import Includes, SiteFiles
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.secretbox import SecretWords
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect
from provisioner.registry.compiler import obtain
from provisioner.render.environment import Renderer
from provisioner.render.limit import limited
from provisioner.tftp.table import LOADER_FOLDERS, read_loaders, shelf_of
from provisioner.trust.importedkeys import ImportedKeys
from provisioner.trust.secrets import SecretFolder
from provisioner.trust.sitekey import KEY_BYTES, SiteKey


@dataclass(frozen=True, slots=True)
class Outcome:
    """Nodes whose boots go the same way. Steps have words such as `{name}` and `{ip}`, unless the node is one."""

    nodes: tuple[str, ...]
    steps: tuple[Step, ...]
    script: str = ""

    @property
    def folded(self) -> str:
        """The nodes as a node set."""
        return fold(self.nodes)

    @property
    def problems(self) -> tuple[Step, ...]:
        """The steps that the machines do not get past."""
        return tuple(step for step in self.steps if step.problem)

    def record(self) -> dict[str, Any]:
        """Plain data for programs."""
        keys = ("what", "said", "detail", "problem", "hint")
        steps = [{key: getattr(step, key) for key in keys} for step in self.steps]
        told = {"nodes": self.folded, "count": len(self.nodes), "boots": not self.problems, "steps": steps}
        return {**told, **({"script": self.script} if len(self.nodes) == 1 else {})}


@dataclass(frozen=True, slots=True)
class Simulation:
    """What would come of the boots at a revision: the groups with problems first."""

    revision: str
    outcomes: tuple[Outcome, ...]

    @property
    def has_problems(self) -> bool:
        """Whether some machine would not boot."""
        return any(outcome.problems for outcome in self.outcomes)

    def record(self) -> dict[str, Any]:
        """Plain data for programs."""
        return {"revision": self.revision, "outcomes": [outcome.record() for outcome in self.outcomes]}


def simulate(
    paths: Paths,
    catalogue: Catalogue,
    nodeset: str | None,
    *,
    where: Sequence[str] = (),
    askers: tuple[Asker, ...] | None = None,
) -> Simulation:
    """Rehearse the boots of nodes, as they are written now; `askers` are the programs that ask (default: all).

    Raises what `select` raises, and ConfigError when what is written has mistakes: no daemon would serve it.
    """
    files = collect(paths)
    with obtain(paths, files) as published:
        if published.problems():
            raise ConfigError(published.problems())
        names = select(published, nodeset, where)
        snapshot = published.snapshot()
    renderer = Renderer()
    key = _key(paths)
    # Who may not read the key may not read those that were taken over either.
    identity = Identity(key, ImportedKeys(paths.keys)) if key else Identity(SiteKey(bytes(KEY_BYTES)))
    written = WrittenFiles(files)
    library = Library(written, RenderMemo(renderer, bound=limited))
    includes = Includes(SiteFiles(written), StoredImages(paths, catalogue))
    secrets = SecretWords(SecretFolder.of(paths.site), key)
    around = Surroundings(snapshot, identity, includes=includes, secrets=secrets)
    memories = History(paths.events).memories(names)
    loaders = read_loaders((paths.state / "loaders", *LOADER_FOLDERS))
    side = Side(written, catalogue, around, library, renderer, shelf=shelf_of(loaders), memories=memories)
    side.controls = orders(paths)
    if key is not None:
        side.usable = lambda generation: is_current(paths, generation)
    stage = Stage(side, loaders, Artifacts(paths), askers, key is not None and len(names) == 1)
    outcomes = _outcomes(names, lambda name: rehearse(stage, snapshot.nodes[name]))
    return Simulation(snapshot.revision, outcomes)


def _outcomes(names: Sequence[str], play: Callable[[str], Rehearsal]) -> tuple[Outcome, ...]:
    groups: dict[Hashable, tuple[Rehearsal, list[str]]] = {}
    for name in names:
        rehearsal = play(name)
        likeness = Likeness(rehearsal.node)
        key = tuple((step.what, likeness.of(step.said), likeness.of(step.problem)) for step in rehearsal.steps)
        groups.setdefault(key, (rehearsal, []))[1].append(name)
    found = [_outcome(first, tuple(each)) for first, each in groups.values()]
    return tuple(sorted(found, key=lambda outcome: not outcome.problems))


def _outcome(first: Rehearsal, names: tuple[str, ...]) -> Outcome:
    if len(names) == 1:
        return Outcome(names, first.steps, first.script)
    of = Likeness(first.node).of
    steps = (Step(step.what, of(step.said), "", of(step.problem), of(step.hint)) for step in first.steps)
    return Outcome(names, tuple(steps))


def _key(paths: Paths) -> SiteKey | None:
    """The site key; None where there is none yet or it may not be read."""
    try:
        return SiteKey.load_or_create(paths.keys) if (paths.keys / "site.key").exists() else None
    except PermissionError:
        return None
