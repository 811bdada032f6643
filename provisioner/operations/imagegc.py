"""Collecting garbage: what would go and why the rest stays, shown first, then done."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.image import gc, scratch, store
from provisioner.image.folder import ImageFolder
from provisioner.image.gc import Policy, Rubbish
from provisioner.model.image import Generation
from provisioner.operations import live
from provisioner.operations.imageuse import demand_readable, demand_served, image_use

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Collection:
    """What a sweep takes: generations, and files with their sizes in bytes. `kept` has the reasons of the rest."""

    gone: tuple[Generation, ...]
    kept: tuple[tuple[Generation, str], ...]
    rubbish: tuple[Rubbish, ...]

    @property
    def size(self) -> int:
        """How many bytes of the disk that is."""
        return sum(each.size for each in self.rubbish)

    def record(self) -> dict[str, Any]:
        """Plain data for programs."""
        rubbish = [{"kind": each.kind, "path": str(each.path), "size": each.size} for each in self.rubbish]
        kept = [{"name": each.name, "reason": reason} for each, reason in self.kept]
        return {"gone": [each.name for each in self.gone], "kept": kept, "rubbish": rubbish, "size": self.size}


def plan(paths: Paths, *, keep: int, days: float) -> Collection:
    """What a sweep would take now, with the newest `keep` of every image and all of the last `days` kept.

    Raises ConflictError while the site has mistakes.
    """
    if keep < 1:
        raise ProvisionerError("the newest generation of an image always stays", hint="--keep 1")
    store.prepare(paths)
    policy = Policy(keep, time.time() - days * _DAY)
    known = store.catalogue(paths)
    use = image_use(paths, known)
    demand_readable(paths)
    used = {name: "booted lately" for name, opened in use.booted.items() if opened >= policy.since}
    used |= {name: words for name in (*use.assigned, *use.written, *use.running) if (words := use.of(name))}
    reasons = gc.reasons(ImageFolder.all(paths), used, policy)
    every = [each for generations in known.generations.values() for each in generations.values()]
    gone = tuple(each for each in every if not reasons.get(each.name, "new"))
    kept = tuple((each, reasons[each.name]) for each in every if reasons.get(each.name))
    return Collection(gone, kept, gc.rubbish(paths, {each.name for each in gone}, policy.since))


def collect(paths: Paths, shown: Collection, *, keep: int, days: float) -> Collection:
    """Take what was shown and still may go. Returns what went.

    Raises ConflictError when an image is being built, and when a daemon does not serve what is written, or
    nobody could because of mistakes in it.
    """
    demand_served(paths)
    with scratch.collecting(paths), scratch.pointing(paths):
        now = plan(paths, keep=keep, days=days)
        gone = tuple(each for each in now.gone if each in shown.gone)
        swept = gc.collect(paths, gone, time.time() - days * _DAY)
    live.serve_changes(paths)
    return Collection(gone, now.kept, swept)
