"""Is the store whole? Files against their digests, trees against their lists, lists against their names."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.host.files import digest_of
from provisioner.image import gc, manifest, store
from provisioner.model.image import Artifact, Generation, Origin
from provisioner.trust.seal import broken

_SHOWN = 5
_MISSING: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it should be, in words; the generations that it is part of, and what mends it."""

    message: str
    generations: tuple[str, ...]
    remedy: str


def verify(paths: Paths, generations: Iterable[Generation], *, deep: bool = False) -> Iterator[Damage]:
    """Look at everything that some generations refer to, each thing once; `deep` reads every file of their trees.

    A generation without a tree, as after a bundle without trees, is whole: nodes boot it. Needs root's rights.
    """
    keys = store.signing_keys(paths)
    users: dict[Artifact, list[Generation]] = defaultdict(list)
    trees: dict[str, list[Generation]] = defaultdict(list)
    for each in generations:
        for artifact in gc.artifacts_of(each):
            users[artifact].append(each)
        if words := broken(each, keys):
            yield Damage(words, (each.name,), f"find out who altered it; then prov image sign {each.name}")
        trees[each.tree].append(each)
    for artifact, named in users.items():
        yield from _damage(named, fault(paths, artifact))
    for tree, named in trees.items():
        for message, first in _look_at_tree(paths, tree, deep=deep):
            yield from _damage(named, message, first)


def fault(paths: Paths, artifact: Artifact) -> str:
    """What is wrong with a file of the store: it is missing, cannot be read, or is another one; else empty."""
    file = store.artifact_path(paths, artifact.digest)
    try:
        size = file.stat().st_size
        if size != artifact.size:
            return f"{file} has {size} bytes and not {artifact.size}"
        digest = digest_of(file)
    except FileNotFoundError:
        return f"{file} is missing"
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    return "" if digest == artifact.digest else f"{file} is damaged: its content has the digest {digest}"


def remedy(generation: Generation) -> str:
    """The command that makes a generation again; what it makes takes the place of damaged files."""
    origin = generation.origin
    name = shlex.quote(generation.image)
    if origin.kind == "recipe":
        return f"prov image build {shlex.quote(origin.reference)} --name {name}"
    if origin.kind in {"command", "generation"}:
        return f"load a bundle with {generation.name}: prov image load FILE"
    return f"prov image import {shlex.quote(_pinned(origin))} {name}"


def _pinned(origin: Origin) -> str:
    """The source as it was: what a tag of a registry means by now would be another generation."""
    if origin.kind != "registry" or not origin.digest:
        return origin.reference
    name = origin.reference.partition("@")[0]
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{base.partition(':')[0]}@{origin.digest}"


def _damage(named: list[Generation], message: str, first: str = "") -> Iterator[Damage]:
    if message:
        yield Damage(message, tuple(each.name for each in named), first + remedy(named[0]))


def _look_at_tree(paths: Paths, tree: str, *, deep: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with a tree, and what has to be done before it is made again."""
    listing, folder = store.manifest_path(paths, tree), store.tree_path(paths, tree)
    if not listing.exists() and not folder.exists():
        return
    if not listing.is_file():
        yield f"{listing} is missing", ""
    elif digest_of(listing) != tree:
        yield f"{listing} is damaged: its content has another digest", ""
    elif not folder.is_dir():
        yield f"{folder} is missing", ""
    elif deep:
        # A tree that is there is taken for whole.
        first = f"rm -r --one-file-system {shlex.quote(str(folder))}, then "
        yield from ((message, first) for message in _compare(folder, listing))


def _compare(folder: Path, listing: Path) -> Iterator[str]:
    with listing.open("rb") as lines:
        wanted = {entry["path"]: entry for entry in map(json.loads, lines)}
    found = {entry["path"]: entry for entry in manifest.entries_of(folder)}
    wrong = [path for path in wanted | found if wanted.get(path, _MISSING) != found.get(path, _MISSING)]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        yield f"{folder} is not what its list says: {', '.join(sorted(wrong)[:_SHOWN])}{more}"
