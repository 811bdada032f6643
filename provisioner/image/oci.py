"""Read an OCI image layout (OCI image specification, image-layout.md): choose one image, verify every blob."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
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
class Reference:
    """`oci:DIR` or `oci:DIR:TAG`, taken apart."""

    folder: Path
    tag: str | None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The reference in a text; ProvisionerError for any other kind of source."""
        kind, _, place = text.partition(":")
        if kind != "oci" or not place:
            hint = "skopeo copy docker://HOST/IMAGE oci:DIR, then prov image import oci:DIR NAME"
            raise ProvisionerError(f"{text!r} is no OCI layout: expected oci:DIR or oci:DIR:TAG", hint=hint)
        folder, colon, tag = place.rpartition(":")
        if colon and "/" not in tag and not Path(place).is_dir():
            return cls(Path(folder), tag)
        return cls(Path(place), None)


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


def open_image(reference: Reference, *, architecture: str = "amd64") -> OciImage:
    """The only image of a layout for an architecture, or the tagged one, with every blob verified.

    Raises NotFoundError when there is none, ProvisionerError when the choice is open or the image is of a kind
    that cannot be unpacked, and IntegrityError for blobs that are not what their digest says.
    """
    layout = _Layout(reference.folder)
    manifest = layout.choose(reference.tag, architecture)
    return layout.image(manifest)


class _Layout:
    """A layout directory; all documents in it are untrusted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = Blobs(folder)
        self._others: list[str] = []
        if not (folder / "oci-layout").is_file():
            hint = "skopeo copy docker://HOST/IMAGE oci:DIR makes one"
            raise NotFoundError(f"{folder} is no OCI layout: it has no file oci-layout", hint=hint)

    def choose(self, tag: str | None, architecture: str) -> Json:
        """The descriptor of the one manifest that is asked for."""
        index = self._blobs.index()
        entries = [entry for entry in list_at(index, "manifests") if tag in (None, _annotation(entry, _TAG))]
        found = [each for entry in entries for each in self._manifests(entry, architecture, depth=_NESTING)]
        chosen = {str(each.get("digest")): each for each in found}
        if not chosen:
            wanted = f"image {tag}" if tag else "image"
            others = f" (it holds {', '.join(sorted(set(self._others)))})" if self._others else ""
            message = f"{self.folder} has no {wanted} for linux/{architecture}{others}"
            raise NotFoundError(message, hint=self._tags_hint(index))
        if len(chosen) > 1:
            message = f"{self.folder} has {len(chosen)} images for {architecture}: say which one"
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
            created=_seconds(config.get("created")),
            layers=tuple(self._layer(layer, diff_id) for layer, diff_id in zip(layers, diff_ids, strict=True)),
        )

    def _manifests(self, entry: Json, architecture: str, *, depth: int) -> list[Json]:
        if _annotation(entry, "vnd.docker.reference.type"):
            return []  # An attestation: a statement about an image, stored beside it.
        kind = str(entry.get("mediaType", ""))
        if kind in _INDEXES:
            if depth == 0:
                raise IntegrityError(f"{self.folder} nests indexes deeper than {_NESTING}")
            inner = list_at(self._blobs.document(entry), "manifests")
            return [each for item in inner for each in self._manifests(item, architecture, depth=depth - 1)]
        found = self._what(entry, kind)
        if found == f"linux/{architecture}":
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
        return f"{platform.get('os')}/{platform.get('architecture')}"

    def _layer(self, descriptor: Json, diff_id: object) -> Layer:
        kind = str(descriptor.get("mediaType"))
        compression = _COMPRESSIONS.get(kind)
        if compression is None:
            raise ProvisionerError(_why_not(kind), hint=f"copy the image with plain layers into {self.folder}")
        if not is_digest(str(diff_id)):
            raise IntegrityError(f"{diff_id!r} is no digest of a layer")
        blob = self._blobs.verified(descriptor)
        return Layer(blob, str(descriptor["digest"]), size_of(descriptor), compression, str(diff_id))

    def _tags_hint(self, index: Json) -> str:
        tags = sorted(filter(None, (_annotation(entry, _TAG) for entry in list_at(index, "manifests"))))
        return f"prov image import oci:{self.folder}:TAG NAME; tags: {', '.join(tags) or 'none'}"


def _annotation(entry: Json, name: str) -> str | None:
    annotations = entry.get("annotations")
    value = annotations.get(name) if isinstance(annotations, dict) else None
    return value if isinstance(value, str) else None


def _seconds(created: object) -> int:
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
