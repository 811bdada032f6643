"""Images of registries, fetched by skopeo into a cache of blobs that all imports share.

A blob that is there is not fetched again, so an import that was cut short goes on with the blobs that it lacks.
Every blob is verified when it is used. What a tag means is asked once; everything after that names the manifest by
digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import IntegrityError, NotFoundError, UnavailableError
from provisioner.host.files import digest_of
from provisioner.image import architecture, oci, unpack
from provisioner.image.blobs import Json, list_at, object_at, size_of
from provisioner.image.build import Obtained
from provisioner.image.oci import OciImage
from provisioner.image.reference import Reference
from provisioner.image.skopeo import IMAGE, Skopeo, skopeo
from provisioner.image.terms import Terms
from provisioner.model.image import Origin, is_digest

BLOBS = "blobs"
"""The cache of blobs in the store: BLOBS/sha256/HEX. The time of last change of a blob is that of its last use."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One image of a registry: `HOST/PATH@DIGEST`, and the blobs (digest, bytes) that it consists of."""

    pinned: str
    digest: str
    blobs: tuple[tuple[str, int], ...]


def obtain(reference: Reference, tree: Path, terms: Terms) -> Obtained:
    """Fetch the image of `docker://...` and unpack it into a new directory.

    Raises what `Skopeo.inspect` and `unpack.unpack` raise, and UnavailableError when it cannot fit.
    """
    with skopeo(reference.place, terms.access, scratch=tree.parent) as client:
        terms.say(f"ask for {_name(reference)}")
        found = _find(reference, client, terms.platform)
        image = _fetch(found, client, terms)
    unpacked = unpack.unpack(image, tree, limits=terms.limits, say=terms.say, watch=terms.watch)
    policy = terms.access.policy
    origin = Origin(
        kind=reference.kind,
        reference=reference.text,
        digest=found.digest,
        platform=terms.platform,
        signature=f"allowed by the policy {policy}" if policy else "",
    )
    return Obtained(origin, unpacked.newest, unpacked.warnings, may_be_base=True)


def _name(reference: Reference) -> str:
    return f"{reference.place}@{reference.digest}" if reference.digest else f"{reference.place}:{reference.tag}"


def _find(reference: Reference, client: Skopeo, platform: str) -> _Found:
    digest, manifest = _manifest(client, _name(reference), reference.digest)
    if "manifests" in manifest:
        entry, others = oci.choose(list_at(manifest, "manifests"), platform)
        if entry is None:
            message = f"{_name(reference)} has no image for {platform}: it has {', '.join(sorted(others))}"
            raise NotFoundError(message, hint="--platform chooses another one; nodes boot linux/amd64 only")
        digest, manifest = _manifest(client, f"{reference.place}@{entry.get('digest')}", str(entry.get("digest")))
    else:
        config = _json(client.inspect(f"{reference.place}@{digest}", config=True), reference.place)
        found = f"{config.get('os', 'linux')}/{config.get('architecture')}"
        architecture.demand(found, platform, _name(reference))
    parts = [object_at(manifest, "config"), *list_at(manifest, "layers")]
    # Some layers come twice, such as empty ones.
    blobs = {str(part.get("digest")): size_of(part) for part in parts}
    return _Found(f"{reference.place}@{digest}", digest, tuple(blobs.items()))


def _manifest(client: Skopeo, name: str, pinned: str | None) -> tuple[str, Json]:
    """A manifest or index and its digest."""
    text = client.inspect(name)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    if pinned not in (None, digest):
        raise IntegrityError(f"the registry gives {digest} for {name}")
    return digest, _json(text, name)


def _json(text: str, name: str) -> Json:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise IntegrityError(f"what the registry gives for {name} is no JSON") from None
    if not isinstance(document, dict):
        raise IntegrityError(f"what the registry gives for {name} is no JSON object")
    return document


def _fetch(found: _Found, client: Skopeo, terms: Terms) -> OciImage:
    cache = terms.store / BLOBS
    cache.mkdir(exist_ok=True)
    cache.chmod(0o700)
    missing = [(digest, size) for digest, size in found.blobs if not _blob(cache, digest).exists()]
    _demand_room(terms.store, found, sum(size for _, size in missing))
    size, kept = sum(size for _, size in missing), len(found.blobs) - len(missing)
    words = f", {kept} of {len(found.blobs)} blobs are here" if kept else ""
    terms.say(f"fetch {size / (1 << 20):.1f} MiB{words}")
    layout = client.scratch / "layout"
    _copy(found, client, terms, layout)
    try:
        image = oci.open_image(layout, IMAGE, platform=terms.platform, blobs=cache)
    except IntegrityError:
        # The cache may be what is damaged: it is not read when a blob has the right name.
        if not _drop_damaged(cache, found):
            raise
        terms.say("fetch the blobs again that were damaged here")
        shutil.rmtree(layout)
        _copy(found, client, terms, layout)
        image = oci.open_image(layout, IMAGE, platform=terms.platform, blobs=cache)
    for digest, _ in (*found.blobs, (found.digest, 0)):
        with suppress(FileNotFoundError):
            os.utime(_blob(cache, digest))
    return image


def _copy(found: _Found, client: Skopeo, terms: Terms, layout: Path) -> None:
    cache = terms.store / BLOBS
    missing = [(digest, size) for digest, size in found.blobs if not _blob(cache, digest).exists()]
    total = sum(size for _, size in missing)

    def arrived(on_the_way: int, _: int) -> None:
        here = sum(size for digest, size in missing if _blob(cache, digest).exists())
        terms.watch(min(total, here + on_the_way), total)

    client.copy(found.pinned, layout, cache, platform=terms.platform, watch=arrived)


def _blob(cache: Path, digest: str) -> Path:
    if not is_digest(digest):
        raise IntegrityError(f"{digest[:100]!r} in the manifest is no sha256 digest")
    return cache / "sha256" / digest.removeprefix("sha256:")


def _demand_room(store: Path, found: _Found, missing: int) -> None:
    """The blobs have to fit, and a tree is never smaller than its packed layers."""
    needed = missing + sum(size for _, size in found.blobs)
    free = shutil.disk_usage(store).free
    if needed > free:
        message = (
            f"{found.pinned} needs {needed >> 20} MiB and more below {store}, which has {free >> 20} MiB free"
        )
        raise UnavailableError(message, hint="prov image gc removes what nothing uses")


def _drop_damaged(cache: Path, found: _Found) -> bool:
    """Remove blobs that are not what their name says; whether there were any."""
    files = [_blob(cache, digest) for digest in (*(digest for digest, _ in found.blobs), found.digest)]
    damaged = [file for file in files if file.exists() and digest_of(file) != f"sha256:{file.name}"]
    for file in damaged:
        file.unlink()
    return bool(damaged)
