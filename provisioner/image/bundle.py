"""A bundle: generations in one file, for a site that nothing else reaches. An uncompressed tar archive.

Its first member, `bundle.json`, has the records of the generations and, for each other member in order, its name,
size and sha256, so that a receiver checks everything while it reads. The others are artifacts (kernel, stage 1,
root, inventory), or differences to artifacts of a *base* generation, which the receiver has to have
(`image.delta`); and for each tree its list and its archive (`image.trees`), when the sender was asked for trees.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Literal

from pydantic import ValidationError

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, ProvisionerError
from provisioner.host.files import digest_of
from provisioner.image import delta, gc, store, trees
from provisioner.model.image import ARTIFACTS, Artifact, Generation, Record, is_digest

FORMAT = 1
INDEX = "bundle.json"

_CHUNK = 1 << 20
_LARGEST_INDEX = 64 << 20
# A difference that saves less is not worth the memory that it takes to apply.
_WORTH = 0.9
_LATEST = float(1 << 35)

Say = Callable[[str], None]
Kind = Literal["artifact", "delta", "list", "tree"]


class Member(Record):
    """A file in a bundle, its size in bytes and its sha256 (64 hexadecimal digits).

    `of` is the digest of what it gives: of an artifact or a tree. A delta needs the artifact `base`, and a tree
    without all of its files the tree `base`.
    """

    name: str
    kind: Kind
    of: str
    size: int
    sha256: str
    base: str | None = None


class Index(Record):
    """What is in a bundle. `base` names the generation that differences were made to, None for a whole bundle."""

    format: int
    generations: tuple[Generation, ...]
    members: tuple[Member, ...]
    base: str | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """An opened bundle: its index, and after `extract` the files of its members."""

    index: Index
    archive: tarfile.TarFile

    def extract(self, folder: Path) -> dict[str, Path]:
        """Write every member into a folder; the files by the names of the members.

        IntegrityError for whatever differs from the index, ProvisionerError when there is no room.
        """
        needed, free = sum(each.size for each in self.index.members), shutil.disk_usage(folder).free
        if needed > free:
            hint = f"make room below {folder.parent.parent}; prov image gc may free some"
            raise ProvisionerError(f"the bundle has {needed >> 20} MiB, and only {free >> 20} are free", hint=hint)
        found: dict[str, Path] = {}
        for number, expected in enumerate(self.index.members):
            found[expected.name] = folder / f"member-{number}"
            self._extract(expected, found[expected.name])
        if _next(self.archive) is not None:
            raise IntegrityError("the bundle has more in it than its index says")
        return found

    def _extract(self, expected: Member, place: Path) -> None:
        member = _next(self.archive)
        if member is None:
            raise IntegrityError(f"the bundle ends before {expected.name}", hint="copy it again")
        if member.name != expected.name or not member.isreg() or member.size != expected.size:
            raise IntegrityError(f"the bundle has {member.name[:100]!r} where its index says {expected.name!r}")
        with place.open("wb") as target:
            try:
                found = _copied(_content(self.archive, member), target)
            except tarfile.TarError:
                raise IntegrityError(f"the bundle ends within {expected.name}", hint="copy it again") from None
        if found != expected.sha256:
            raise IntegrityError(f"{expected.name} in the bundle is damaged", hint="copy it again")


def write(
    paths: Paths,
    generations: Sequence[Generation],
    output: IO[bytes],
    work: Path,
    *,
    with_trees: bool,
    base: Generation | None = None,
    say: Say,
) -> Index:
    """Write a bundle to a stream; `work` is an empty folder. With a `base` it says what differs from that one.

    Raises IntegrityError when something of a generation is damaged in the store.
    """
    parts = dict(_artifacts(paths, generations, work, base=base, say=say))
    if with_trees:
        parts |= dict(_trees(paths, generations, work, base=base, say=say))
    index = Index(
        format=FORMAT, generations=tuple(generations), members=tuple(parts), base=base.name if base else None
    )
    say("write the bundle")
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        content = index.model_dump_json(indent=2).encode() + b"\n"
        archive.addfile(_header(INDEX, len(content)), BytesIO(content))
        for member, file in parts.items():
            _add(archive, member, file)
    return index


def read(stream: IO[bytes]) -> Contents:
    """Open a bundle in a stream. IntegrityError for what is none, or one of a later version."""
    try:
        archive = tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115 - the caller closes the stream below it
        first = archive.next()
        if first is None or first.name != INDEX or not first.isreg() or first.size > _LARGEST_INDEX:
            raise IntegrityError("the file is no bundle of images", hint="prov image export makes one")
        content = _content(archive, first).read()
    except (tarfile.TarError, OSError, ValueError) as error:
        raise IntegrityError(f"the file is no bundle of images: {error}") from None
    return Contents(_parsed(content), archive)


def _parsed(content: bytes) -> Index:
    try:
        index = Index.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        message = f"the index of the bundle cannot be read: {place}: {problem['msg']}"
        raise IntegrityError(message, hint="a later version of prov may have made it") from None
    if index.format != FORMAT:
        raise IntegrityError(f"the bundle has the format {index.format}: a later version of prov made it")
    for each in index.generations:
        _check(each)
    return index


def _check(generation: Generation) -> None:
    """Refuse a record that would be in everybody's way once it is in a store."""
    store.check_name(generation.image)
    digests = [generation.tree, *(each.digest for each in gc.artifacts_of(generation))]
    if not all(map(is_digest, digests)):
        raise IntegrityError(f"the record of {generation.name} in the bundle names its parts by no digests")
    # Not a number fails, too.
    if not 0 <= generation.created < _LATEST:
        raise IntegrityError(f"the record of {generation.name} in the bundle has no sane time")


def _artifacts(
    paths: Paths, generations: Sequence[Generation], work: Path, *, base: Generation | None, say: Say
) -> Iterator[tuple[Member, Path]]:
    known = set(gc.artifacts_of(base)) if base else set()
    for generation in generations:
        for role in ARTIFACTS:
            artifact = getattr(generation, role)
            if artifact is None or artifact in known:
                continue
            known.add(artifact)
            old = getattr(base, role) if base else None
            if old:
                say(f"compare the {role} of {generation.name}")
            yield _difference(paths, old, artifact, work) or _whole(paths, artifact)


def _whole(paths: Paths, artifact: Artifact) -> tuple[Member, Path]:
    digest = artifact.digest.removeprefix("sha256:")
    name = f"artifacts/{digest}"
    member = Member(name=name, kind="artifact", of=artifact.digest, size=artifact.size, sha256=digest)
    return member, store.artifact_path(paths, artifact.digest)


def _difference(paths: Paths, old: Artifact | None, new: Artifact, work: Path) -> tuple[Member, Path] | None:
    """The difference to another artifact; None when there is none worth it."""
    if old is None:
        return None
    places = store.artifact_path(paths, old.digest), store.artifact_path(paths, new.digest)
    if not delta.fits(*places):
        return None
    digest = new.digest.removeprefix("sha256:")
    file = work / f"delta-{digest}"
    delta.make(*places, file)
    if file.stat().st_size > new.size * _WORTH:
        return None
    return _measured(file, f"deltas/{digest}", "delta", of=new.digest, base=old.digest), file


def _trees(
    paths: Paths, generations: Sequence[Generation], work: Path, *, base: Generation | None, say: Say
) -> Iterator[tuple[Member, Path]]:
    known = trees.Known()
    if base:
        known = trees.Known(store.find_tree(paths, base), store.manifest_path(paths, base.tree))
    for tree, generation in {
        each.tree: each for each in generations if not base or each.tree != base.tree
    }.items():
        say(f"pack the tree of {generation.name}")
        folder, listing = store.find_tree(paths, generation), store.manifest_path(paths, tree)
        digest = tree.removeprefix("sha256:")
        yield _measured(listing, f"manifests/{digest}", "list", of=tree), listing
        archive = work / f"tree-{digest}"
        trees.pack(folder, listing, archive, known)
        name = f"trees/{digest}.tar.zst"
        yield _measured(archive, name, "tree", of=tree, base=base.tree if base else None), archive


def _measured(file: Path, name: str, kind: Kind, *, of: str, base: str | None = None) -> Member:
    digest = digest_of(file).removeprefix("sha256:")
    return Member(name=name, kind=kind, of=of, size=file.stat().st_size, sha256=digest, base=base)


def _add(archive: tarfile.TarFile, member: Member, file: Path) -> None:
    with file.open("rb") as content:
        checked = _Checked(content)
        archive.addfile(_header(member.name, member.size), checked)
    if checked.sha256.hexdigest() != member.sha256:
        raise IntegrityError(f"{file} is damaged", hint="prov image verify")


class _Checked:
    """What is read of another stream, and its digest."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        chunk = self._source.read(size)
        self.sha256.update(chunk)
        return chunk


def _header(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return archive.next()
    except (tarfile.TarError, OSError, ValueError) as error:
        raise IntegrityError(f"the bundle cannot be read: {error}", hint="copy it again") from None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    if content is None:
        raise IntegrityError(f"{member.name} in the bundle is no file")
    return content


def _copied(source: IO[bytes], target: IO[bytes]) -> str:
    sha256 = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        sha256.update(chunk)
        target.write(chunk)
    return sha256.hexdigest()
