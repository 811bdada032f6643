"""What `docker save` writes: a list of images in manifest.json, a configuration and plain layers for each.

It has no digests of its blobs. The configuration is named by its own, and says what each unpacked layer has to be.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
from provisioner.image import inside, magic, oci
from provisioner.image.oci import Layer, OciImage
from provisioner.model.image import is_digest

_LIMIT = 4 << 20


def open_image(folder: Path, tag: str | None, *, platform: str) -> OciImage:
    """The only image of an unpacked archive, or the one that is called `tag` (NAME:TAG).

    Raises NotFoundError when there is no such image, ProvisionerError when there are several, and IntegrityError
    for what is not as docker makes it.
    """
    entry = _choose(_list(folder), tag)
    content = _read(folder, entry.get("Config"))
    config = _object(content, "the configuration")
    found = f"{config.get('os')}/{config.get('architecture')}"
    if found != platform:
        raise NotFoundError(f"the archive has no image for {platform} (it holds {found})", hint="see --platform")
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    names = entry.get("Layers")
    if not isinstance(diff_ids, list) or not isinstance(names, list) or len(names) != len(diff_ids):
        raise IntegrityError("the archive lists other layers than the configuration of its image")
    layers = tuple(_layer(folder, *pair) for pair in zip(names, diff_ids, strict=True))
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return OciImage(digest, oci.seconds(config.get("created")), layers)


def _list(folder: Path) -> list[dict[str, Any]]:
    document = _json(_read(folder, "manifest.json"), "manifest.json")
    if not isinstance(document, list) or not all(isinstance(each, dict) for each in document):
        raise IntegrityError("manifest.json of the archive is no list of images")
    return document


def _choose(images: list[dict[str, Any]], tag: str | None) -> dict[str, Any]:
    names = {name for each in images for name in _names(each)}
    wanted = [each for each in images if tag is None or tag in _names(each)]
    hint = f"docker-archive:FILE:NAME:TAG; images: {', '.join(sorted(names)) or 'none with a name'}"
    if not wanted:
        raise NotFoundError(f"the archive has no image {tag}" if tag else "the archive has no image", hint=hint)
    if len(wanted) > 1:
        raise ProvisionerError(f"the archive has {len(wanted)} images: say which one", hint=hint)
    return wanted[0]


def _names(entry: dict[str, Any]) -> list[str]:
    found = entry.get("RepoTags")
    return [str(name) for name in found] if isinstance(found, list) else []


def _layer(folder: Path, name: object, diff_id: object) -> Layer:
    blob = _place(folder, name)
    if not is_digest(str(diff_id)):
        raise IntegrityError(f"{diff_id!r} is no digest of a layer")
    return Layer(blob, str(diff_id), blob.stat().st_size, magic.compression(blob), str(diff_id))


def _place(folder: Path, name: object) -> Path:
    """A file of the archive. Older ones link to layers, so links are followed inside of it."""
    path = "" if "\0" in str(name) else str(name)
    place = inside.resolve(folder, path)
    if not inside.is_regular(place):
        raise IntegrityError(f"the archive has no file {str(name)[:100]!r}")
    return place


def _read(folder: Path, name: object) -> bytes:
    place = _place(folder, name)
    if place.stat().st_size > _LIMIT:
        raise IntegrityError(f"{str(name)[:100]!r} in the archive is too large for a document")
    return place.read_bytes()


def _object(content: bytes, what: str) -> dict[str, Any]:
    document = _json(content, what)
    if not isinstance(document, dict):
        raise IntegrityError(f"{what} in the archive is no JSON object")
    return document


def _json(content: bytes, what: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise IntegrityError(f"{what} in the archive is no JSON") from None
