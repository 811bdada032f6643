"""Images with small made-up trees and real inventories of these, for tests of what is told of images."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.config.paths import Paths
from provisioner.image import inventory, manifest, store
from provisioner.model.image import Generation
from tests.support import resolved
from tests.support.imagetree import tree


def surveyed(
    paths: Paths, image: str, files: Mapping[str, str] | None = None, *, kernel: str = "6.1.0-1-cloud-amd64"
) -> Generation:
    """Publish a generation whose tree is Debian's with these files on top; its other artifacts are made up."""
    store.prepare(paths)
    work = paths.images / "tmp"
    root = tree(work / "tree", files)
    found = manifest.write(root, work / "manifest")
    inventory.write(root, work / "manifest", work / "inventory")
    listed = store.add_artifact(paths, work / "inventory")
    store.add_tree(paths, found.tree, folder=root, manifest=work / "manifest")
    update = {"inventory": listed, "tree": found.tree, "kernel_release": kernel}
    return store.publish(paths, resolved.generation(image=image).model_copy(update=update))
