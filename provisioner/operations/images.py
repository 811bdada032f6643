"""Images: build, import, list and show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.image import apt, mmdebstrap, oci, recipe, store, unpack
from provisioner.image.build import Obtained, Outcome, build
from provisioner.model.image import Generation, Origin
from provisioner.operations import live

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Made:
    """The generation that a build or an import led to; `is_new` is false when it is the current one again.

    `unserved` says why the daemon does not serve it yet; empty when it does, or does not run.
    """

    generation: Generation
    is_new: bool
    unserved: str


def build_image(
    paths: Paths, name: str, *, image: str | None = None, mirror: str | None = None, say: Say = lambda _: None
) -> Made:
    """Build the recipe with a name into the next generation of `image` (the recipe's name when None).

    `mirror` is the URL of a Debian archive to use instead of this machine's own sources.
    """
    image = store.check_name(image or name)
    file = recipe.find(paths, name)
    chosen = recipe.load(file)
    sources = apt.sources(chosen.suite, mirror=mirror)

    def obtain(tree: Path) -> Obtained:
        say(f"install {len(chosen.packages)} packages of {chosen.suite} and what they need (mmdebstrap)")
        log = paths.images / "logs" / f"{image}.log"
        epoch = mmdebstrap.make_tree(chosen, tree, sources=apt.write(tree.parent, sources), log=log)
        return Obtained(Origin(kind="recipe", reference=name, digest=recipe.digest(file)), epoch)

    return _served(paths, build(paths, image, obtain, say=say))


def import_image(paths: Paths, source: str, name: str, *, say: Say = lambda _: None) -> Made:
    """Import an OCI image layout (`oci:DIR` or `oci:DIR:TAG`) as the next generation of an image."""
    store.check_name(name)
    reference = oci.Reference.parse(source)

    def obtain(tree: Path) -> Obtained:
        say("verify the blobs")
        image = oci.open_image(reference)
        unpacked = unpack.unpack(image, tree, say=say)
        origin = Origin(kind="oci", reference=source, digest=image.digest)
        return Obtained(origin, unpacked.newest, unpacked.warnings)

    return _served(paths, build(paths, name, obtain, say=say))


def _served(paths: Paths, outcome: Outcome) -> Made:
    # A running daemon knows the new generation before the command returns.
    return Made(outcome.generation, outcome.is_new, live.serve_changes(paths))


def list_images(paths: Paths) -> tuple[tuple[Generation, bool], ...]:
    """Every generation, by image and number, and whether it is the image's current one."""
    known = store.catalogue(paths)
    return tuple(
        (generation, generation.number == known.current.get(name))
        for name, generations in known.generations.items()
        for generation in generations.values()
    )


def show_image(paths: Paths, reference: str) -> Generation:
    """The generation that `NAME`, `NAME@NUMBER` or `NAME@sha256:TREE` means."""
    return store.find(paths, reference)


def record(generation: Generation) -> dict[str, Any]:
    """A generation as the data that commands and the control interface give out."""
    return {"name": generation.name, **generation.model_dump(mode="json")}
