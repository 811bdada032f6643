"""The places that name images, and those among them whose image does not exist.

Images come and go without any file of the site, so this is looked at apart from everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from provisioner.config.decode import Entry
from provisioner.errors import Problem
from provisioner.model.catalogue import Catalogue
from provisioner.registry.check import listed
from provisioner.registry.published import Published


class ImageUse(NamedTuple):
    """A reference to an image as it is written, and where."""

    reference: str
    file: str
    line: int
    column: int


def image_problems(published: Published, catalogue: Catalogue) -> tuple[Problem, ...]:
    """What a revision says of images that do not exist; nothing where provisioner.yaml cannot be used."""
    uses = (ImageUse(*row) for row in published.image_uses()) if published.usable else ()
    return tuple(check_images(uses, catalogue))


def image_uses(entries: Iterable[Entry[Any]]) -> Iterator[ImageUse]:
    """Every place in some entries that names an image."""
    for entry in entries:
        if entry.value.image is not None:
            place = entry.place(("image",))
            yield ImageUse(entry.value.image, entry.file, place.line, place.column)


def check_images(uses: Iterable[ImageUse], catalogue: Catalogue) -> Iterator[Problem]:
    """A problem for every use of an image or generation that does not exist, or that cannot boot."""
    for use in uses:
        found = catalogue.find(use.reference)
        if found is None:
            yield Problem(use.file, use.line, use.column, *_missing(use.reference, catalogue))
        elif not found.boots:
            message = f"the image {use.reference} cannot boot: {found.why_not}"
            yield Problem(use.file, use.line, use.column, message, found.remedy)


def _missing(reference: str, catalogue: Catalogue) -> tuple[str, str]:
    name, _, generation = reference.partition("@")
    if generation and name in catalogue.generations:
        return f"the image {name!r} has no generation {generation}", f"prov image show {name}"
    there = f"there is {listed(catalogue.generations)}, or " if catalogue.generations else ""
    return f"unknown image {name!r}", f"{there}prov image build {name}"
