"""The places that name images, and those among them whose image does not exist.

Images come and go without any file of the site, so this is looked at apart from everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from provisioner.config.decode import Entry
from provisioner.errors import Problem
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import NO_STREAM
from provisioner.registry.check import listed
from provisioner.registry.published import Published


class ImageUse(NamedTuple):
    """A reference to an image as it is written, and where."""

    reference: str
    file: str
    line: int
    column: int


def image_problems(published: Published, catalogue: Catalogue) -> tuple[Problem, ...]:
    """What a revision says of images that do not exist, or that its nodes cannot boot as they are to.

    Nothing where provisioner.yaml cannot be used.
    """
    if not published.usable:
        return ()
    uses = (ImageUse(*row) for row in published.image_uses())
    return (*check_images(uses, catalogue), *check_streams(published.streamed_images(), catalogue))


def check_streams(uses: Iterable[tuple[str, str, int, int]], catalogue: Catalogue) -> Iterator[Problem]:
    """A problem for every image, and the place that names it, that nodes are to stream and cannot."""
    for reference, file, line, column in uses:
        found = catalogue.find(reference)
        if found is not None and found.boots and not found.streams:
            message = f"the image {reference} cannot be streamed: {NO_STREAM}"
            yield Problem(file, line, column, message, "choose another image, or root.kind: overlay")


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
