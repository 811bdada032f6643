"""Import an image from wherever it is: a registry, an archive, a folder, a SIF file, a running machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.image import architecture, archive, directory, registry, remote, sifimport, store
from provisioner.image.build import Obtained, build
from provisioner.image.reference import WORDS, Kind, Reference, parse
from provisioner.image.skopeo import read_login
from provisioner.image.terms import Access, Say, Terms, Watch, silent
from provisioner.operations import fulldisk
from provisioner.operations.imagemade import Made, served

__all__ = ["Access", "Terms", "import_image", "read_login", "terms_for"]

_SOURCES: dict[Kind, Callable[[Reference, Path, Terms], Obtained]] = {
    Kind.REGISTRY: registry.obtain,
    Kind.OCI: archive.obtain_layout,
    Kind.OCI_ARCHIVE: archive.obtain_image_archive,
    Kind.DOCKER_ARCHIVE: archive.obtain_image_archive,
    Kind.TAR: archive.obtain_tar,
    Kind.DIRECTORY: directory.obtain,
    Kind.SIF: sifimport.obtain,
    Kind.SSH: remote.obtain,
}
_HINT = "prov image gc removes what nothing uses; nothing of this import is left but whole blobs"


def terms_for(
    paths: Paths,
    *,
    platform: str = architecture.BOOTABLE,
    access: Access | None = None,
    keyring: Path | None = None,
    unsigned: bool = False,
    ssh_config: Path | None = None,
    say: Say = lambda _: None,
    watch: Watch = silent,
) -> Terms:
    """The terms of an import into a site's store; ProvisionerError for a platform that nobody knows."""
    return Terms(
        store=paths.images,
        site_keys=paths.keys / "images.gpg",
        platform=architecture.check(platform),
        access=access or Access(),
        keyring=keyring,
        unsigned=unsigned,
        ssh_config=ssh_config,
        say=say,
        watch=watch,
    )


def import_image(paths: Paths, source: str, name: str, terms: Terms | None = None) -> Made:
    """Import a source (`image.reference`) as the next generation of an image.

    A tree that cannot boot becomes a base. An import that is cut short leaves nothing but blobs of a registry,
    which the next one goes on with. Raises ProvisionerError for what cannot be imported, IntegrityError for what
    is damaged, hostile or not as signed, and UnavailableError where a registry, a machine or room on the disk is
    missing.
    """
    terms = terms or terms_for(paths)
    store.check_name(name)
    reference = parse(source)
    if reference.guessed:
        terms.say(f"take {source} for {WORDS[reference.kind]} ({reference.kind})")

    def obtain(tree: Path) -> Obtained:
        return _SOURCES[reference.kind](reference, tree, terms)

    with fulldisk.naming(paths.images, _HINT):
        return served(paths, build(paths, name, obtain, say=terms.say))
