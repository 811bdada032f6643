"""Read an OCI image layout (OCI image specification, image-layout.md): choose one image, verify every blob."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
from provisioner.image.architecture import BOOTABLE
from provisioner.image.blobs import Blobs, Json, list_at, object_at, size_of
from provisioner.model.image import is_digest

_INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
_MANIFESTS = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}
_CONFIGS = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
}
_COMPRESSIONS = {
    "application/vnd.oci.image.layer.v1.tar": "none",
    "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
    "application/vnd.docker.image.rootfs.diff.tar": "none",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
}
_TAG = "org.opencontainers.image.ref.name"
_NESTING = 3
_MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: its verified blob, packed size in bytes, compression, and the digest of the archive inside."""

    blob: Path
    digest: str
    size: int
    compression: str
    diff_id: str


@dataclass(frozen=True, slots=True)
class OciImage:
    """One image of a layout. `digest` is its manifest's, `created` Unix seconds (0 when it does not say)."""

    digest: str
    created: int
    layers: tuple[Layer, ...]


def open_image(
    folder: Path,
    tag: str | None = None,
    *,
    platform: str = BOOTABLE,
    blobs: Path | None = None,
    called: str = "",
) -> OciImage:
    """The only image of a layout for a platform, or the tagged one, with every blob verified.

    The blobs lie in the layout, or in a folder that several share; `called` is the source as people type it
    (`oci:FOLDER` otherwise). Raises NotFoundError when there is none,
    ProvisionerError when the choice is open or the image is of a kind that cannot be unpacked, and IntegrityError
    for blobs that are not what their digest says.
    """
    layout = _Layout(folder, blobs, called)
    return layout.image(layout.choose(tag, platform))


def choose(entries: list[Json], platform: str) -> tuple[Json | None, set[str]]:
    """The entry of an index for a platform (`linux/amd64`), and the platforms of the others."""
    known = [(entry, _platform(entry.get("platform"))) for entry in entries if not _is_attestation(entry)]
    found = next((entry for entry, name in known if name == platform), None)
    return found, {name for _, name in known if "unknown" not in name}


def is_index(kind: object) -> bool:
    """Whether a media type is that of an index of images."""
    return kind in _INDEXES


class _Layout:
    """A layout directory; all documents in it are untrusted."""

    def __init__(self, folder: Path, blobs: Path | None, called: str) -> None:
        self.folder = folder
        self._called = called or f"oci:{folder}"
        self._name = self._called.partition(":")[2]
        self._blobs = Blobs(folder, blobs or folder / "blobs")
        self._others: list[str] = []
        if not (folder / "oci-layout").is_file():
            hint = "skopeo copy docker://HOST/IMAGE oci:DIR makes one; dir:DIR is a root file system"
            raise NotFoundError(f"{folder} is no OCI layout: it has no file oci-layout", hint=hint)

    def choose(self, tag: str | None, platform: str) -> Json:
        """The descriptor of the one manifest that is asked for."""
        index = self._blobs.index()
        entries = [entry for entry in list_at(index, "manifests") if tag in (None, _annotation(entry, _TAG))]
        found = [each for entry in entries for each in self._manifests(entry, platform, depth=_NESTING)]
        chosen = {str(each.get("digest")): each for each in found}
        if not chosen:
            wanted = f"image {tag}" if tag else "image"
            others = f" (it holds {', '.join(sorted(set(self._others)))})" if self._others else ""
            message = f"{self._name} has no {wanted} for {platform}{others}"
            other = "; --platform chooses another one" if self._others else ""
            raise NotFoundError(message, hint=self._tags_hint(index) + other)
        if len(chosen) > 1:
            message = f"{self._name} has {len(chosen)} images for {platform}: say which one"
            raise ProvisionerError(message, hint=self._tags_hint(index))
        return next(iter(chosen.values()))

    def image(self, descriptor: Json) -> OciImage:
        """The image of a manifest."""
        manifest = self._blobs.document(descriptor)
        config = self._blobs.document(object_at(manifest, "config"))
        layers = list_at(manifest, "layers")
        diff_ids = object_at(config, "rootfs").get("diff_ids")
        if not isinstance(diff_ids, list) or len(diff_ids) != len(layers) or len(layers) > _MOST_LAYERS:
            raise IntegrityError(f"{descriptor['digest']} lists {len(layers)} layers, its configuration others")
        return OciImage(
            digest=str(descriptor["digest"]),
            created=seconds(config.get("created")),
            layers=tuple(self._layer(layer, diff_id) for layer, diff_id in zip(layers, diff_ids, strict=True)),
        )

    def _manifests(self, entry: Json, platform: str, *, depth: int) -> list[Json]:
        if _is_attestation(entry):
            return []
        kind = str(entry.get("mediaType", ""))
        if kind in _INDEXES:
            if depth == 0:
                raise IntegrityError(f"{self._name} nests indexes deeper than {_NESTING}")
            inner = list_at(self._blobs.document(entry), "manifests")
            return [each for item in inner for each in self._manifests(item, platform, depth=depth - 1)]
        found = self._what(entry, kind)
        if found == platform:
            return [entry]
        self._others.append(found)
        return []

    def _what(self, entry: Json, kind: str) -> str:
        """The platform of an image, or the type of whatever else an entry is."""
        if kind not in _MANIFESTS:
            return kind
        manifest = self._blobs.document(entry)
        config = object_at(manifest, "config")
        other = manifest.get("artifactType") or entry.get("artifactType")
        if other or config.get("mediaType") not in _CONFIGS:
            return str(other or config.get("mediaType"))
        platform = entry.get("platform")
        if not isinstance(platform, dict):
            platform = self._blobs.document(config)
        return _platform(platform)

    def _layer(self, descriptor: Json, diff_id: object) -> Layer:
        kind = str(descriptor.get("mediaType"))
        compression = _COMPRESSIONS.get(kind)
        if compression is None:
            raise ProvisionerError(
                _why_not(kind), hint="skopeo copy, or the tool that built it, writes it with plain layers"
            )
        if not is_digest(str(diff_id)):
            raise IntegrityError(f"{diff_id!r} is no digest of a layer")
        blob = self._blobs.verified(descriptor)
        return Layer(blob, str(descriptor["digest"]), size_of(descriptor), compression, str(diff_id))

    def _tags_hint(self, index: Json) -> str:
        tags = sorted(filter(None, (_annotation(entry, _TAG) for entry in list_at(index, "manifests"))))
        return f"prov image import {self._called}:TAG NAME; tags: {', '.join(tags) or 'none'}"


def _platform(fields: object) -> str:
    if not isinstance(fields, dict):
        return "unknown"
    return f"{fields.get('os')}/{fields.get('architecture')}"


def _is_attestation(entry: Json) -> bool:
    """A statement about an image, stored beside it."""
    return _annotation(entry, "vnd.docker.reference.type") is not None


def _annotation(entry: Json, name: str) -> str | None:
    annotations = entry.get("annotations")
    value = annotations.get(name) if isinstance(annotations, dict) else None
    return value if isinstance(value, str) else None


def seconds(created: object) -> int:
    """A time of the image specification in Unix seconds; 0 where there is none."""
    try:
        return max(0, int(datetime.fromisoformat(str(created)).timestamp()))
    except (ValueError, OverflowError):
        return 0


def _why_not(kind: str) -> str:
    if "encrypted" in kind:
        return f"a layer is encrypted ({kind})"
    if "nondistributable" in kind or "foreign" in kind:
        return f"a layer is foreign ({kind}): its content lies on another server"
    return f"a layer is of the unknown type {kind}"
