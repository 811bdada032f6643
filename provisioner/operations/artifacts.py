"""Are the files of a generation in the store, whole? Each is read once however many nodes boot it."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.image.verify import fault
from provisioner.model.image import Artifact


class Artifacts:
    """The files of the image store, looked at when they are asked for."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._known: dict[Artifact, str] = {}

    def fault(self, artifact: Artifact) -> str:
        """What is wrong with a file of the store: it is missing, cannot be read, or is another one; else empty."""
        if artifact not in self._known:
            self._known[artifact] = fault(self._paths, artifact)
        return self._known[artifact]
