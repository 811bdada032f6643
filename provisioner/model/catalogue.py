"""Which generations exist of which image, and which one a name means today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.model.image import Generation


@dataclass(frozen=True)
class Catalogue:
    """The images of a site: generations by image name and number, the current number and the tags of each.

    `revoked` are the numbers of each image that must not boot.
    """

    generations: Mapping[str, Mapping[int, Generation]] = field(default_factory=dict)
    current: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    revoked: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def is_revoked(self, generation: Generation) -> bool:
        """Whether a generation must not boot any more."""
        return generation.number in self.revoked.get(generation.image, ())

    def find(self, reference: str) -> Generation | None:
        """The generation that `NAME`, `NAME@NUMBER`, `NAME@TAG` or `NAME@sha256:TREE` means, or None."""
        name, _, chosen = reference.partition("@")
        generations = self.generations.get(name, {})
        if not chosen:
            return generations.get(self.current.get(name, 0))
        if chosen.startswith("sha256:"):
            return next((each for each in generations.values() if each.tree == chosen), None)
        if not chosen.isdecimal():
            return generations.get(self.tags.get(name, {}).get(chosen, 0))
        return generations.get(int(chosen))
