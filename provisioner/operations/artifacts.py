"""Are the files of a generation in the store, whole? Each is read once however many nodes boot it."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.host.files import digest_of
from provisioner.image.store import artifact_path
from provisioner.model.image import Artifact


class Artifacts:
    """The files of the image store, looked at when they are asked for."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._known: dict[Artifact, str] = {}

    def fault(self, artifact: Artifact) -> str:
        """What is wrong with a file of the store: it is missing, cannot be read, or is another one; else empty."""
        if artifact not in self._known:
            self._known[artifact] = self._look(artifact)
        return self._known[artifact]

    def _look(self, artifact: Artifact) -> str:
        file = artifact_path(self._paths, artifact.digest)
        try:
            size = file.stat().st_size
            if size != artifact.size:
                return f"{file} has {size} bytes and not {artifact.size}"
            digest = digest_of(file)
        except FileNotFoundError:
            return f"{file} is missing"
        except OSError as error:
            return f"{file} cannot be read: {error.strerror}"
        return "" if digest == artifact.digest else f"{file} is damaged: its content has the digest {digest}"
