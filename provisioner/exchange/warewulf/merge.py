"""An import into a site that is there already: its files stay, new ones come beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from provisioner.config.emit import Writable
from provisioner.config.splice import set_value
from provisioner.errors import ConflictError, NotFoundError
from provisioner.exchange.warewulf.importer import Imported
from provisioner.exchange.warewulf.text import writable
from provisioner.model.catalogue import Catalogue
from provisioner.model.nodeset import fold
from provisioner.registry.load import SITE_FILE
from provisioner.registry.view import SiteView


def merged_into(view: SiteView, imported: Imported) -> Mapping[str, str | None]:
    """The texts of the files that become others. ConflictError when a group or node is there already."""
    nodes = [name for name in imported.nodes if view.has(name)]
    groups = [name for name in imported.groups if name in view.groups]
    if nodes:
        raise ConflictError(
            f"there are nodes of these names already: {fold(nodes)}", hint="prov node delete NODESET"
        )
    if groups:
        hint = f"prov group rename {groups[0]} NEW, or prov group delete {groups[0]}"
        raise ConflictError(f"there are groups of these names already: {', '.join(groups)}", hint=hint)
    texts: dict[str, str | None] = {_free(view, file): text for file, text in imported.files.items()}
    site = view.text(SITE_FILE)
    if site is not None and imported.networks:
        for name, network in imported.networks.items():
            site = set_value(site, ("networks", name), cast("Writable", writable(network)))
        texts[SITE_FILE] = site
    return texts


def demand_images(imported: Imported, catalogue: Catalogue) -> None:
    """Raise NotFoundError when the site lacks an image that the new entries name: it would not pass its checks."""
    missing = [name for name in imported.images if catalogue.find(name) is None]
    if missing:
        message = f"nothing is imported, because the site does not have the images {', '.join(missing)}"
        ways = f"prov image import SOURCE {missing[0]}, or prov image build {missing[0]}"
        raise NotFoundError(message, hint=f"{ways}; to look at the new entries first: -o DIR")


def _free(view: SiteView, file: str) -> str:
    """The name of a file that is not there yet."""
    stem, _, ending = file.rpartition(".")
    number = 1
    while view.text(file) is not None:
        number += 1
        file = f"{stem}-{number}.{ending}"
    return file
