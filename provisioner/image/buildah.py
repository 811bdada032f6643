"""Make a tree by a Containerfile, with buildah: everything it keeps lies below the build's own folder.

Its steps run in a chroot: that works as root wherever this program does, in containers and virtual machines too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import CommandError, NotFoundError, UnavailableError
from provisioner.host.run import require, run
from provisioner.image import oci, unpack
from provisioner.image.recipe import CONTAINERFILE, ContainerfileRecipe
from provisioner.image.unpack import Unpacked

_HOURS = 3 * 3600
_TAIL = 15
_TAG = "result"
_BASE = "localhost/base"
_ARGUMENT = "BASE"
# vfs works on every file system; the build is one layer, so nothing is stored twice for long.
_STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}\n'


@dataclass(frozen=True, slots=True)
class Base:
    """What ${BASE} of the Containerfile is: a container's name, a tree of the store, or what the file says."""

    reference: str | None = None
    tree: Path | None = None


def make_tree(
    recipe: ContainerfileRecipe, tree: Path, *, folder: Path, base: Base, work: Path, log: Path
) -> Unpacked:
    """Build the Containerfile in a folder, and unpack what it comes to into a new directory.

    `work` is a folder for everything that buildah keeps, `log` gets its output. Raises NotFoundError where there
    is no Containerfile, UnavailableError without buildah, and CommandError with the end of the log when a step
    fails.
    """
    file = folder / CONTAINERFILE
    if not file.is_file():
        raise NotFoundError(f"the recipe has no {CONTAINERFILE}", hint=f"write {file}")
    _require()
    log.unlink(missing_ok=True)
    buildah = _Buildah(work, log)
    reference = base.reference
    if reference is None and base.tree is not None:
        reference = buildah.take(base.tree)
    arguments = {**recipe.arguments, **({_ARGUMENT: reference} if reference else {})}
    words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    # A base that was just taken from the store is in no registry.
    pull = [] if reference in (None, base.reference) else ["--pull-never"]
    buildah.run(
        "build", "--isolation=chroot", "--layers=false", *pull, *words, "--file", file, "--tag", _TAG, folder
    )
    layout = work / "layout"
    buildah.run("push", f"localhost/{_TAG}", f"oci:{layout}:{_TAG}")
    return unpack.unpack(oci.open_image(layout, _TAG), tree)


class _Buildah:
    """buildah with a storage and configuration of its own."""

    def __init__(self, work: Path, log: Path) -> None:
        self._log = log
        self._policy = work / "policy.json"
        self._policy.write_text(_POLICY)
        (work / "storage.conf").write_text(_STORAGE.format(folder=work))
        (work / "registries.conf").write_text("")
        self._environment = {
            "CONTAINERS_STORAGE_CONF": str(work / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(work / "registries.conf"),
            "TMPDIR": str(work),
        }

    def take(self, tree: Path) -> str:
        """Make a tree of the store an image of buildah, and return its name."""
        self.run("from", "--name", "base", "scratch")
        place = run(["buildah", "mount", "base"], environment=self._environment).strip()
        run(["cp", "--archive", "--reflink=auto", f"{tree}/.", place], timeout=_HOURS)
        self.run("umount", "base")
        self.run("commit", "--rm", "base", _BASE)
        return _BASE

    def run(self, verb: str, *words: str | os.PathLike[str]) -> None:
        """Run a command of buildah; CommandError with the end of the log when it fails."""
        policy: Sequence[str] = (
            [f"--signature-policy={self._policy}"] if verb in ("build", "commit", "from", "push") else []
        )
        try:
            with self._log.open("ab") as stream:
                run(
                    ["buildah", verb, *policy, *words],
                    timeout=_HOURS,
                    stdout=stream,
                    environment=self._environment,
                )
        except CommandError as error:
            lines = self._log.read_text(errors="replace").strip().splitlines()[-_TAIL:]
            output = "\n".join([*lines, error.output])
            message = f"buildah {verb} failed with status {error.status}; the end of {self._log}:\n{output}"
            hint = "--base REF or --from IMAGE name another container to start from" if verb == "build" else None
            raise CommandError(message, status=error.status, output=output, hint=hint) from None


def _require() -> None:
    try:
        require("buildah")
    except UnavailableError as error:
        message = f"{error.message}, and recipes of the kind containerfile need it"
        raise UnavailableError(message, hint=error.hint) from None
