"""A SIF file as the source of an image: signature first, then its root."""

from __future__ import annotations

import shutil
from pathlib import Path

from provisioner.errors import NotFoundError
from provisioner.host.files import digest_of
from provisioner.image import apptainer, architecture, sif, sifsignature, unsquash
from provisioner.image.build import Obtained
from provisioner.image.reference import Reference
from provisioner.image.terms import Terms
from provisioner.model.image import Origin


def obtain(reference: Reference, tree: Path, terms: Terms) -> Obtained:
    """Extract the root of a SIF file into a new directory.

    Raises IntegrityError for files that are damaged, hostile or not what was signed, and ProvisionerError for
    kinds of SIF that hold no root.
    """
    if not reference.path.is_file():
        raise NotFoundError(f"{reference.path} is no file")
    # What is verified has to be what is extracted, and others may write where the file lies.
    file = tree.parent / "sif" / reference.path.name
    file.parent.mkdir()
    terms.say(f"read {reference.path} ({reference.path.stat().st_size >> 20} MiB)")
    shutil.copyfile(reference.path, file)
    obtained = _obtain(file, reference, tree, terms)
    file.unlink()
    return obtained


def _obtain(file: Path, reference: Reference, tree: Path, terms: Terms) -> Obtained:
    found = sif.read(file, name=reference.path)
    root = found.primary()
    platform = root.partition[2]
    architecture.demand(platform, terms.platform, str(reference.path))
    site_keys = terms.site_keys if terms.site_keys.is_file() else None
    signature = sifsignature.check(found, root, keyring=terms.keyring or site_keys, unsigned=terms.unsigned)
    terms.say(f"extract the root, {signature}")
    newest = unsquash.extract(file, tree, offset=root.offset, created=found.modified, terms=terms)
    origin = Origin(
        kind=reference.kind,
        reference=reference.text,
        digest=digest_of(file),
        platform=platform,
        signature=signature,
    )
    return Obtained(origin, newest, apptainer.forget(tree), may_be_base=True)
