"""The images of the store as templates see them."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.image import store
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Generation
from provisioner.model.inventory import Inventory
from provisioner.overlay.imagefacts import ImageFacts


class StoredImages:
    """Facts of images by reference; each generation is read once, when a template asks for it.

    With a catalogue a name means what it means there. Without one the store is looked at for every reference that
    was not found yet, so that only references of one generation (`debian-12@3`) make sense.
    """

    def __init__(self, paths: Paths, catalogue: Catalogue | None = None) -> None:
        self._paths = paths
        self._catalogue = catalogue
        self._found: dict[str, ImageFacts] = {}

    def __call__(self, reference: str | None) -> ImageFacts:
        """The facts of the generation that a reference means; None for a node without an image."""
        if reference is None:
            return ImageFacts.unknown("the node has no image")
        known = self._found.get(reference)
        return known or self._look(reference)

    def _look(self, reference: str) -> ImageFacts:
        catalogue = self._catalogue or store.catalogue(self._paths)
        try:
            generation = catalogue.find(reference)
        except ValueError:
            generation = None
        if generation is None:
            # Not kept: somebody may build it yet.
            return ImageFacts.unknown(f"the image {reference} does not exist")
        facts = self._found.get(generation.name) or ImageFacts(generation, self._read)
        self._found |= {generation.name: facts, reference: facts}
        return facts

    def _read(self, generation: Generation) -> Inventory | None:
        # Its reader takes a while to import, and most commands ask for nothing of an image.
        from provisioner.image.inventory import inventory  # noqa: PLC0415 - as said above

        return inventory(self._paths, generation)
