"""Images to and from a file: for a site without a network, or from one head node to another."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, IntegrityError, NotFoundError, ProvisionerError
from provisioner.host.files import digest_of, sync_directory
from provisioner.image import bundle, delta, gc, manifest, scratch, store, trees, unpack, verify
from provisioner.image.bundle import Contents, Index, Kind, Member
from provisioner.image.folder import ImageFolder
from provisioner.model.image import Artifact, Generation
from provisioner.operations import fulldisk, live

Say = Callable[[str], None]

STREAM = "-"
"""The name that stands for standard input or output."""

_PINNED = {"kernel", "stage1", "root", "tree"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The generations that a bundle led to, those that were there already marked as not new.

    `unserved` says why the daemon does not serve them yet; empty when it does, or does not run.
    """

    generations: tuple[tuple[Generation, bool], ...]
    unserved: str


def export(
    paths: Paths,
    references: Sequence[str],
    file: str,
    *,
    with_trees: bool = False,
    against: str | None = None,
    say: Say = lambda _: None,
) -> Index:
    """Write generations into a bundle; `-` is standard output.

    `against` names a generation that the receiver has: the bundle then holds what differs from it. Raises
    ConflictError when the file exists, and IntegrityError when something of a generation is damaged; then nothing
    is left of the file.
    """
    store.prepare(paths)
    with scratch.using(paths):
        # Not before: a sweep that ends just now may take them.
        chosen = tuple(dict.fromkeys(store.find(paths, each) for each in references))
        base = store.find(paths, against) if against else None
        for each in (*chosen, *((base,) if base else ())):
            _demand_whole(paths, each)
        # What the site signed as one program has its keys and the number here in it: it is of no use elsewhere.
        bare = tuple(each.model_copy(update={"uki": None, "uki_anchor": ""}) for each in chosen)
        with _target(file) as output, _room(paths, file) as work:
            return bundle.write(paths, bare, output, work, with_trees=with_trees, base=base, say=say)


def load(paths: Paths, file: str, name: str | None = None, *, say: Say = lambda _: None) -> Loaded:
    """Take over the generations of a bundle, each under the next free number of its image; `-` is standard input.

    `name` is another name for the image, when the bundle has one image only. A generation that is here already is
    not taken twice. Raises NotFoundError when the bundle holds differences to what is not here.
    """
    unpack.require_root()
    store.prepare(paths)
    with _source(file) as stream:
        contents = bundle.read(stream)
        wanted = _renamed(contents.index.generations, name)
        _refuse_bases(paths, wanted)
        with ExitStack() as stack:
            images = sorted({each.image for each in wanted})
            work = stack.enter_context(scratch.workspace(paths, images[0]))
            for image in images[1:]:
                stack.enter_context(scratch.only_one(paths, image))
            hint = "prov image gc removes what nothing uses; nothing of the bundle is left"
            stack.enter_context(fulldisk.naming(paths.images, hint))
            say("read and check the bundle")
            files = contents.extract(work)
            _Loading(paths, contents, files, work).settle(say)
            done = tuple(_publish(paths, each, file) for each in wanted)
    return Loaded(done, live.serve_changes(paths))


class _Loading:
    """A bundle whose members are checked, on its way into the store."""

    def __init__(self, paths: Paths, contents: Contents, files: dict[str, Path], work: Path) -> None:
        self._paths = paths
        self._index = contents.index
        self._files = files
        self._work = work

    def settle(self, say: Say) -> None:
        """Put all artifacts and trees into the store; nothing when one of them needs what is not there."""
        for generation in self._index.generations:
            for artifact in gc.artifacts_of(generation):
                self._demand(generation, artifact)
        for member in self._index.members:
            if member.kind in {"artifact", "delta"}:
                self._settle_artifact(member)
            elif member.kind == "tree":
                say(f"make the tree {member.of[:19]}")
                self._settle_tree(member)

    def _demand(self, generation: Generation, artifact: Artifact) -> None:
        given = [each for each in self._index.members if each.of == artifact.digest]
        needs = [each.base for each in given if each.base] if given else [artifact.digest]
        for digest in needs:
            place = store.artifact_path(self._paths, digest)
            if not place.is_file():
                self._refuse(generation.name)

    def _refuse(self, name: str) -> None:
        base = self._index.base
        if base is None:
            raise IntegrityError(f"the bundle has not all of {name}", hint="export and copy it again")
        hint = f"load {base} first, or export the whole: prov image export {name} FILE"
        raise NotFoundError(f"the bundle has only what differs from {base}, which is not in this store", hint=hint)

    def _settle_artifact(self, member: Member) -> None:
        file = self._files[member.name]
        if member.base:
            whole = self._work / "whole"
            delta.apply(store.artifact_path(self._paths, member.base), file, whole)
            file.unlink()
            file = whole
        if digest_of(file) != member.of:
            hint = "prov image verify tells whether what it was made from is damaged here"
            raise IntegrityError(f"{member.name} in the bundle does not give {member.of}", hint=hint)
        store.add_artifact(self._paths, file)

    def _settle_tree(self, member: Member) -> None:
        listing = self._files[self._member("list", member.of).name]
        if digest_of(listing) != member.of:
            raise IntegrityError(f"{member.name} in the bundle has the list of another tree")
        place = self._work / "tree"
        trees.unpack(self._files[member.name], listing, place, self._known(member.base))
        found = manifest.write(place, self._work / "found")
        if found.tree != member.of:
            raise IntegrityError(f"{member.name} in the bundle does not give the tree that its list says")
        store.add_tree(self._paths, found.tree, folder=place, manifest=self._work / "found")

    def _known(self, tree: str | None) -> trees.Known:
        if tree is None:
            return trees.Known()
        folder, listing = store.tree_path(self._paths, tree), store.manifest_path(self._paths, tree)
        if not folder.is_dir() or not listing.is_file():
            hint = f"load a bundle of {self._index.base} that was made with --tree first"
            raise NotFoundError(f"the tree of {self._index.base} is not in this store", hint=hint)
        return trees.Known(folder, listing)

    def _member(self, kind: Kind, of: str) -> Member:
        found = next((each for each in self._index.members if (each.kind, each.of) == (kind, of)), None)
        if found is None:
            raise IntegrityError(f"the bundle has no {kind} of {of}")
        return found


def _publish(paths: Paths, wanted: Generation, file: str) -> tuple[Generation, bool]:
    same = wanted.model_dump(include=_PINNED)
    folder = ImageFolder.of(paths, wanted.image)
    for each in folder.generations().values():
        if each.model_dump(include=_PINNED) == same:
            _complete(paths, folder, each)
            return each, False
    _demand_whole(paths, wanted)
    return store.publish(paths, wanted, what="loaded", detail=f"{wanted.name} from {file}"), True


def _complete(paths: Paths, folder: ImageFolder, generation: Generation) -> None:
    """Finish what a first publication that was cut short left: an image that means nothing yet."""
    with scratch.pointing(paths):
        if folder.current() is None:
            folder.point(generation.number)


def _demand_whole(paths: Paths, generation: Generation) -> None:
    for artifact in gc.artifacts_of(generation):
        if fault := verify.fault(paths, artifact):
            raise IntegrityError(
                f"{generation.name} is damaged: {fault}", hint=f"prov image verify {generation.name}"
            )


def _renamed(generations: tuple[Generation, ...], name: str | None) -> tuple[Generation, ...]:
    images = sorted({each.image for each in generations})
    if not images:
        raise IntegrityError("the bundle has no image in it")
    if name is None:
        return generations
    if len(images) > 1:
        hint = "leave the name out"
        raise ProvisionerError(f"the bundle has {len(images)} images: {', '.join(images)}", hint=hint)
    return tuple(each.model_copy(update={"image": store.check_name(name)}) for each in generations)


def _refuse_bases(paths: Paths, wanted: Sequence[Generation]) -> None:
    """What cannot boot must not take the place of what does."""
    known = store.catalogue(paths)
    for each in wanted:
        now = known.find(each.image)
        if not each.boots and now is not None and now.boots:
            hint = f"give it another name: prov image load FILE {each.image}-base"
            raise ConflictError(f"{each.name} cannot boot, and would take the place of {now.name}", hint=hint)


@contextmanager
def _source(file: str) -> Iterator[IO[bytes]]:
    if file == STREAM:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below; an error of the body is not one of opening
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {file}", hint="prov image export makes bundles") from None
    with stream:
        yield stream


@contextmanager
def _target(file: str) -> Iterator[IO[bytes]]:
    """A stream whose content gets the name of the file when all is written, and is gone when anything fails."""
    if file == STREAM:
        if sys.stdout.isatty():
            hint = "prov image export NAME FILE, or prov image export NAME - | ssh HOST prov image load -"
            raise ProvisionerError("a bundle is nothing for a terminal", hint=hint)
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    place = Path(file).absolute()
    _demand_free(place)
    with (
        fulldisk.naming(place.parent, "make room there; nothing of the bundle is left"),
        _written(place) as stream,
    ):
        yield stream


@contextmanager
def _written(place: Path) -> Iterator[IO[bytes]]:
    handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _demand_free(place)
        # Renamed, not linked: sticks that are carried from site to site know no hard links.
        Path(temporary).rename(place)
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_directory(place.parent)


def _demand_free(place: Path) -> None:
    if not place.parent.is_dir():
        raise NotFoundError(f"there is no folder {place.parent}", hint=f"mkdir -p {place.parent}")
    if place.exists():
        raise ConflictError(f"{place} exists already", hint="remove it, or give another name")


@contextmanager
def _room(paths: Paths, file: str) -> Iterator[Path]:
    """A folder for what has to be made first, beside the file, where there is room for the bundle too."""
    near = paths.images / "tmp" if file == STREAM else Path(file).absolute().parent
    with tempfile.TemporaryDirectory(prefix=".export-", dir=near) as folder:
        yield Path(folder)
