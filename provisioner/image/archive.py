"""Images in files and folders of this machine: OCI layouts, archives of images, archives of a root file system."""

from __future__ import annotations

from pathlib import Path

from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.host.files import digest_of
from provisioner.image import architecture, bundle, dockerarchive, inside, oci, unpack
from provisioner.image.build import Obtained
from provisioner.image.oci import OciImage
from provisioner.image.reference import Kind, Reference
from provisioner.image.scratch import remove
from provisioner.image.terms import Terms
from provisioner.model.image import Origin


def obtain_layout(reference: Reference, tree: Path, terms: Terms) -> Obtained:
    """Unpack the image of an OCI layout into a new directory."""
    terms.say("verify the blobs")
    image = oci.open_image(reference.path, reference.tag, platform=terms.platform)
    return _unpacked(reference, image, tree, terms)


def obtain_image_archive(reference: Reference, tree: Path, terms: Terms) -> Obtained:
    """Unpack an image that skopeo, podman or docker wrote into one file, into a new directory.

    Raises IntegrityError for archives that are damaged and NotFoundError when it has no such image.
    """
    file = _file(reference)
    terms.say(f"open {file}")
    layout = tree.parent / "archive"
    unpack.unpack_archive(file, layout, limits=terms.limits, watch=terms.watch)
    terms.say("verify the blobs")
    # docker save writes both since version 25, and only one of them has digests.
    if (layout / "oci-layout").is_file():
        tag = reference.tag
        tag = tag.rpartition(":")[2] if tag and reference.kind is Kind.DOCKER_ARCHIVE else tag
        image = oci.open_image(layout, tag, platform=terms.platform, called=f"{reference.kind}:{file}")
    else:
        image = dockerarchive.open_image(layout, reference.tag, platform=terms.platform)
    obtained = _unpacked(reference, image, tree, terms)
    remove(layout)
    return obtained


def obtain_tar(reference: Reference, tree: Path, terms: Terms) -> Obtained:
    """Unpack an archive of a root file system into a new directory; its digest is that of the file."""
    file = _file(reference)
    terms.say(f"unpack {file} ({file.stat().st_size >> 20} MiB)")
    digest = digest_of(file)
    unpacked = unpack.unpack_archive(file, tree, limits=terms.limits, watch=terms.watch)
    if inside.is_regular(tree / bundle.INDEX) and not (tree / "usr").is_dir():
        raise ProvisionerError(f"{file} is a bundle of images", hint=f"prov image load {file}")
    if any(inside.is_regular(tree / name) for name in ("oci-layout", "manifest.json")):
        # It does not show in the first bytes of every archive.
        hint = f"prov image import oci-archive:{file} NAME"
        raise ProvisionerError(f"{file} is an archive of an image, not of a root file system", hint=hint)
    platform = architecture.of_tree(tree)
    architecture.demand(platform, terms.platform, str(file))
    origin = Origin(kind=reference.kind, reference=reference.text, digest=digest, platform=platform)
    return Obtained(origin, unpacked.newest, unpacked.warnings, may_be_base=True)


def _unpacked(reference: Reference, image: OciImage, tree: Path, terms: Terms) -> Obtained:
    unpacked = unpack.unpack(image, tree, limits=terms.limits, say=terms.say, watch=terms.watch)
    origin = Origin(kind=reference.kind, reference=reference.text, digest=image.digest, platform=terms.platform)
    return Obtained(origin, unpacked.newest, unpacked.warnings, may_be_base=True)


def _file(reference: Reference) -> Path:
    if not reference.path.exists():
        raise NotFoundError(f"{reference.path} does not exist")
    if not reference.path.is_file():
        raise ProvisionerError(f"{reference.path} is no regular file", hint=_folder_hint(reference.path))
    return reference.path


def _folder_hint(path: Path) -> str | None:
    return f"dir:{path} is a root file system in a folder, oci:{path} an OCI layout" if path.is_dir() else None
