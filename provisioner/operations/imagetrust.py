"""What the site vouches for: signatures of generations, and those that must not boot any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, IntegrityError
from provisioner.image import gc, scratch, store
from provisioner.image.folder import ImageFolder
from provisioner.image.verify import fault
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Generation
from provisioner.operations import live
from provisioner.operations.imagemove import Move, demand_here, switched
from provisioner.operations.imageuse import assignments
from provisioner.trust.seal import sealed, unsealed
from provisioner.trust.signing import SigningKeys


def revoke(paths: Paths, reference: str, *, older: bool = False) -> Move:
    """Let a generation boot no more, with `older` those of its image before it, too.

    ConflictError when there is nothing left to revoke.
    """
    known, chosen = store.catalogue(paths), store.find(paths, reference)
    theirs = known.revoked.get(chosen.image, frozenset())
    wanted = {n for n in known.generations[chosen.image] if n == chosen.number or (older and n < chosen.number)}
    if wanted <= theirs:
        raise ConflictError(f"{chosen.name} is revoked already", hint=f"prov image release {chosen.name}")
    names = ", ".join(f"{chosen.image}@{number}" for number in sorted(wanted - theirs))
    return _move(paths, known, chosen, f"{names} must not boot any more", theirs | wanted)


def release(paths: Paths, reference: str) -> Move:
    """Let a revoked generation boot again. ConflictError for one that may."""
    known, chosen = store.catalogue(paths), store.find(paths, reference)
    theirs = known.revoked.get(chosen.image, frozenset())
    if chosen.number not in theirs:
        raise ConflictError(f"{chosen.name} is not revoked", hint=f"prov image history {chosen.image}")
    return _move(paths, known, chosen, f"{chosen.name} may boot again", theirs - {chosen.number})


def sign(paths: Paths, name: str | None = None) -> tuple[Generation, ...]:
    """Sign what this site does not vouch for yet: all generations, those of an image, or one; which ones it were.

    Each file is read and compared first. IntegrityError for one that is damaged or missing, before any is signed.
    """
    keys = store.signing_keys(paths)
    doubtful = [each for each in _chosen(paths, name) if unsealed(each, keys)]
    for each in doubtful:
        _demand_whole(paths, each)
    with scratch.pointing(paths):
        for each in doubtful:
            folder = ImageFolder.of(paths, each.image)
            demand_here(folder, each)
            folder.add(sealed(each, keys))
            folder.note("signed", each.number)
    if doubtful:
        live.serve_changes(paths)
    return tuple(doubtful)


def sign_again(paths: Paths, before: SigningKeys) -> int:
    """Sign with the key of now what another key has signed before it; how many generations."""
    keys = store.signing_keys(paths)
    with scratch.pointing(paths):
        ours = [each for each in _chosen(paths, None) if not unsealed(each, before)]
        for each in ours:
            ImageFolder.of(paths, each.image).add(sealed(each, keys))
    live.serve_changes(paths)
    return len(ours)


def _move(paths: Paths, known: Catalogue, chosen: Generation, what: str, revoked: Iterable[int]) -> Move:
    numbers = frozenset(revoked)
    after = replace(known, revoked={**known.revoked, chosen.image: numbers})

    def make() -> None:
        folder = ImageFolder.of(paths, chosen.image)
        with scratch.pointing(paths):
            demand_here(folder, chosen)
            before = folder.marks()
            folder.mark(before.revoking(numbers))
            for number in sorted(numbers ^ set(before.revoked)):
                folder.note("revoked" if number in numbers else "released", number)

    return Move(what, chosen, switched(assignments(paths), known, after), make)


def _chosen(paths: Paths, name: str | None) -> list[Generation]:
    known = store.catalogue(paths)
    if name is None:
        return [each for generations in known.generations.values() for each in generations.values()]
    if "@" in name or name not in known.generations:
        return [store.find(paths, name)]
    return list(known.generations[name].values())


def _demand_whole(paths: Paths, generation: Generation) -> None:
    for artifact in gc.artifacts_of(generation):
        if wrong := fault(paths, artifact):
            hint = f"prov image verify {generation.name}"
            raise IntegrityError(f"{generation.name} is not signed: {wrong}", hint=hint)
