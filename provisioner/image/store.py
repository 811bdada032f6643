"""The image store: content-addressed artifacts and trees, and for every image its generations and the current one.

Below `paths.images`:

    artifacts/sha256/HEX            what nodes fetch, immutable
    trees/HEX/                      the unpacked root of generations, root only
    manifests/HEX                   the list of a tree, whose sha256 is HEX
    images/NAME/generations/N.json  one record each, immutable
    images/NAME/current             the number that the bare name means
    images/NAME/marks.json          its tags and pins
    images/NAME/journal.jsonl       what was done to it, by whom and when
    tmp/NAME/                       a build in progress

Everything is finished below tmp/ and renamed into place, so that readers see all of it or nothing. Writers of
one image hold its lock, and who collects garbage waits for all of them (`image.scratch`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError, UnavailableError
from provisioner.host.files import digest_of, sync_directory
from provisioner.image import scratch
from provisioner.image.folder import ImageFolder
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Artifact, Generation, is_digest
from provisioner.trust.seal import sealed
from provisioner.trust.signing import EPOCH_FILE, SigningKeys
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tokenepoch import read_epoch

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_PRIVATE = ("trees", "manifests", "tmp", "locks", "logs")


def prepare(paths: Paths) -> None:
    """Make the folders of the store: readable for the daemon, but for what only root may see."""
    paths.images.mkdir(parents=True, exist_ok=True)
    paths.images.chmod(0o755)
    for name in ("artifacts", "artifacts/sha256", "images", *_PRIVATE):
        folder = paths.images / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700 if name in _PRIVATE else 0o755)


def check_name(name: str) -> str:
    """The name of an image; ProvisionerError when it cannot be one."""
    if _NAME.fullmatch(name) is None:
        hint = "use lower-case letters, digits, dots and dashes, such as rocky-9"
        raise ProvisionerError(f"{name!r} cannot be the name of an image", hint=hint)
    return name


def artifact_path(paths: Paths, digest: str) -> Path:
    """Where the artifact with a digest (`sha256:...`) lies, or would lie."""
    return paths.images / "artifacts" / "sha256" / _hex(digest)


def tree_path(paths: Paths, tree: str) -> Path:
    """Where the tree with a digest lies, or would lie."""
    return paths.images / "trees" / _hex(tree)


def manifest_path(paths: Paths, tree: str) -> Path:
    """Where the list of a tree lies, or would lie."""
    return paths.images / "manifests" / _hex(tree)


def find_tree(paths: Paths, generation: Generation) -> Path:
    """The tree of a generation; NotFoundError when it is not here, as after a bundle without trees."""
    place = tree_path(paths, generation.tree)
    if not place.is_dir():
        hint = "load a bundle that was made with --tree, or build or import the image here"
        raise NotFoundError(f"the tree of {generation.name} is not in this store", hint=hint)
    return place


def read_artifact(paths: Paths, artifact: Artifact) -> bytes:
    """What an artifact holds; IntegrityError where the file is not the one that the record names."""
    file = artifact_path(paths, artifact.digest)
    content = file.read_bytes()
    if f"sha256:{sha256(content).hexdigest()}" != artifact.digest:
        raise IntegrityError(f"{file} is damaged: its content has another digest", hint="prov image verify")
    return content


def add_artifact(paths: Paths, file: Path) -> Artifact:
    """Move a finished file into the store under the digest of its content."""
    digest, size = digest_of(file), file.stat().st_size
    place = artifact_path(paths, digest)
    # The file that is there already may have been damaged since; the new one has just been read.
    _settle(file, place, mode=0o644)
    return Artifact(digest=digest, size=size)


def add_tree(paths: Paths, tree: str, *, folder: Path, manifest: Path) -> None:
    """Move an unpacked root and its list into the store; a tree that is there already stays."""
    _settle(manifest, manifest_path(paths, tree), mode=0o600)
    place = tree_path(paths, tree)
    if place.exists():
        scratch.remove(folder)
        return
    folder.rename(place)
    sync_directory(place.parent)


def publish(
    paths: Paths,
    generation: Generation,
    *,
    what: str = "made",
    detail: str = "",
    finish: Callable[[Generation], Generation] = lambda numbered: numbered,
) -> Generation:
    """Record a generation under the next free number, signed by the site, and make it the current one.

    The journal of the image gets `what` and `detail` (`journal.Entry`). `finish` adds what depends on the number;
    what another number had of that is left out.
    """
    folder = ImageFolder.of(paths, generation.image)
    with scratch.pointing(paths):
        folder.prepare()
        before = folder.current()
        update = {"number": folder.next_number(), "uki": None, "uki_anchor": ""}
        numbered = sealed(finish(generation.model_copy(update=update)), signing_keys(paths))
        folder.add(numbered)
        folder.point(numbered.number)
        folder.note(what, numbered.number, before=before, detail=detail)
    return numbered


def signing_keys(paths: Paths) -> SigningKeys:
    """The keys with which the site signs its images."""
    epoch = read_epoch(paths.keys, EPOCH_FILE).number
    return SigningKeys(SiteKey.load_or_create(paths.keys), lambda: epoch)


def catalogue(paths: Paths) -> Catalogue:
    """All images, their generations, current numbers and tags.

    Raises IntegrityError for a record that is none, and UnavailableError when this user may not look.
    """
    try:
        return _catalogue(paths)
    except PermissionError as error:
        message = f"the images below {paths.images} cannot be looked at: {error.strerror}: {error.filename}"
        hint = f"run prov as root or as a member of the group that owns {paths.state}"
        raise UnavailableError(message, hint=hint) from None


def _catalogue(paths: Paths) -> Catalogue:
    generations: dict[str, dict[int, Generation]] = {}
    current: dict[str, int] = {}
    tags: dict[str, Mapping[str, int]] = {}
    revoked: dict[str, frozenset[int]] = {}
    for folder in ImageFolder.all(paths):
        if found := folder.generations():
            generations[folder.name] = found
            if (number := folder.current()) is not None:
                current[folder.name] = number
            marks = folder.marks()
            tags[folder.name], revoked[folder.name] = marks.tags, frozenset(marks.revoked)
    return Catalogue(generations, current, tags, revoked)


def find(paths: Paths, reference: str) -> Generation:
    """What `NAME`, `NAME@NUMBER`, `NAME@TAG` or `NAME@sha256:TREE` means; NotFoundError when there is none."""
    known = catalogue(paths)
    try:
        found = known.find(reference)
    except ValueError:
        found = None
    if found is None:
        names = ", ".join(sorted(known.generations)) or "none yet"
        raise NotFoundError(f"there is no image {reference}", hint=f"prov image list; images: {names}")
    return found


def _settle(file: Path, place: Path, *, mode: int) -> None:
    with file.open("rb") as stream:
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    file.replace(place)
    sync_directory(place.parent)


def _hex(digest: str) -> str:
    if not is_digest(digest):
        raise ProvisionerError(f"{digest!r} is no digest: expected sha256: and 64 hexadecimal digits")
    return digest.removeprefix("sha256:")
