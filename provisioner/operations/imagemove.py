"""Moving what a name means, by the current generation of an image or a tag. Which nodes boot differently then?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.image import scratch, store, tags
from provisioner.image.folder import ImageFolder
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Generation
from provisioner.model.nodeset import fold
from provisioner.operations import live
from provisioner.operations.imageuse import Assignment, assignments
from provisioner.registry.compiler import current


@dataclass(frozen=True, slots=True)
class Switched:
    """Nodes that would boot another generation than now, None for none. `trouble` says why they could not boot."""

    nodes: tuple[str, ...]
    before: str | None
    after: str | None
    trouble: str

    def record(self) -> dict[str, str | int | None]:
        """Plain data for programs."""
        told: dict[str, str | int | None] = {
            "nodes": fold(self.nodes),
            "count": len(self.nodes),
            "before": self.before,
            "after": self.after,
        }
        return {**told, "trouble": self.trouble}


@dataclass(frozen=True, slots=True)
class Move:
    """A change of what a name means, worked out; `make` makes it. `what` says it in words."""

    what: str
    generation: Generation
    switched: tuple[Switched, ...]
    make: Callable[[], None]

    @property
    def troubled(self) -> tuple[Switched, ...]:
        """The nodes that could not boot afterwards, and can now."""
        return tuple(each for each in self.switched if each.trouble)


def rollback(paths: Paths, name: str, to: str | None = None) -> Move:
    """Let the bare name of an image mean another generation: `to` (a number or tag), else the one before.

    The one before is that with the next lower number that can boot and is not revoked. Raises NotFoundError when
    there is none, and ProvisionerError when it is revoked, or cannot boot while the current one can.
    """
    if "@" in name:
        image, _, number = name.partition("@")
        hint = f"prov image rollback {image} --to {number or 'NUMBER'}"
        raise ProvisionerError(f"{name} is a generation; what is rolled back is the image {image}", hint=hint)
    known = store.catalogue(paths)
    chosen = _before(known, name) if to is None else _chosen(paths, name, to)
    now = known.find(name)
    if now == chosen:
        raise ConflictError(f"{chosen.name} is what {name} means already", hint=f"prov image history {name}")
    if known.is_revoked(chosen):
        raise ProvisionerError(f"{chosen.name} is revoked", hint=f"prov image release {chosen.name}")
    if now is not None and now.boots and not chosen.boots:
        raise ProvisionerError(f"{chosen.name} cannot boot: {chosen.why_not}", hint=chosen.remedy)
    after = replace(known, current={**known.current, name: chosen.number})
    what = f"{name} means {chosen.name}" + (f" instead of {now.name}" if now else "")

    def make() -> None:
        folder = ImageFolder.of(paths, name)
        with scratch.pointing(paths):
            demand_here(folder, chosen)
            before = folder.current()
            folder.point(chosen.number)
            folder.note("current", chosen.number, before=before)

    return Move(what, chosen, switched(assignments(paths), known, after), make)


def tag(paths: Paths, reference: str, name: str) -> Move:
    """Let a tag mean a generation, whatever it meant before."""
    tags.check_tag(name)
    known = store.catalogue(paths)
    chosen = store.find(paths, reference)
    theirs = {**known.tags.get(chosen.image, {}), name: chosen.number}
    after = replace(known, tags={**known.tags, chosen.image: theirs})

    def make() -> None:
        folder = ImageFolder.of(paths, chosen.image)
        with scratch.pointing(paths):
            demand_here(folder, chosen)
            marks = folder.marks()
            folder.mark(marks.tagged(name, chosen.number))
            folder.note("tagged", chosen.number, before=marks.tags.get(name), detail=name)

    return Move(
        f"{chosen.image}@{name} means {chosen.name}", chosen, switched(assignments(paths), known, after), make
    )


def untag(paths: Paths, reference: str) -> str:
    """Forget a tag, `NAME@TAG`; returns the generation (NAME@NUMBER) that it meant.

    Raises ConflictError when something names it, NotFoundError when there is none.
    """
    name, _, chosen = reference.partition("@")
    folder = ImageFolder.of(paths, store.check_name(name))
    with scratch.pointing(paths):
        marks = folder.marks()
        if chosen not in marks.tags:
            raise NotFoundError(f"{chosen!r} is no tag of {name}", hint=f"prov image history {name}")
        meant = f"{name}@{marks.tags[chosen]}"
        _refuse_named(paths, reference, meant)
        folder.mark(marks.untagged(chosen))
        folder.note("untagged", marks.tags[chosen], detail=chosen)
    live.serve_changes(paths)
    return meant


def _refuse_named(paths: Paths, reference: str, meant: str) -> None:
    with current(paths) as published:
        uses = [f"{file}:{line}" for used, file, line, _ in published.image_uses() if used == reference]
    if uses:
        hint = f"name {meant} there, or another image"
        raise ConflictError(f"the tag {reference} is in use: {', '.join(uses)}", hint=hint)


def switched(said: Assignment, before: Catalogue, after: Catalogue) -> tuple[Switched, ...]:
    """The nodes that boot something else by another catalogue, or nothing; those with the same change together.

    That is the case where their images mean another generation, or where that was revoked or released.
    """
    groups: dict[tuple[str | None, str | None, str], list[str]] = defaultdict(list)
    meanings = {each: (before.find(each), after.find(each)) for each in set(said.nodes.values()) if each}
    for node, reference in said.nodes.items():
        old, new = meanings[reference] if reference else (None, None)
        if old != new or _revoked(before, old) != _revoked(after, new):
            trouble = "it is revoked" if _revoked(after, new) else _trouble(new, said.kernels.get(node))
            groups[_name(old), _name(new), trouble].append(node)
    return tuple(Switched(tuple(nodes), *key) for key, nodes in groups.items())


def _revoked(known: Catalogue, generation: Generation | None) -> bool:
    return generation is not None and known.is_revoked(generation)


def _name(generation: Generation | None) -> str | None:
    return generation.name if generation else None


def _trouble(generation: Generation | None, kernel: str | None) -> str:
    if generation is None:
        return "it does not exist"
    if not generation.boots:
        return f"it cannot boot: {generation.why_not}"
    if kernel and not generation.kernel_release.startswith(kernel):
        return f"the nodes want the kernel {kernel}, and it has {generation.kernel_release}"
    return ""


def _chosen(paths: Paths, name: str, to: str) -> Generation:
    if not to:
        raise ProvisionerError(f"no generation of {name} was named", hint="--to takes a number or a tag")
    return store.find(paths, f"{name}@{to}")


def _before(known: Catalogue, name: str) -> Generation:
    generations = known.generations.get(name, {})
    top = known.current.get(name, max(generations, default=0) + 1)
    older = [each for n, each in generations.items() if n < top and each.boots and not known.is_revoked(each)]
    if not older:
        raise NotFoundError(f"{name} has no earlier generation that can boot", hint="prov image list")
    return older[-1]


def demand_here(folder: ImageFolder, chosen: Generation) -> None:
    """Raise ConflictError when a generation went after it was found. The caller holds `scratch.pointing`."""
    if chosen.number not in folder.generations():
        raise ConflictError(f"{chosen.name} was removed just now", hint="prov image list")
