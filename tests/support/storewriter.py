"""What crash tests interrupt: each way of changing an image store.

Run as a program (`python -m tests.support.storewriter VERB ROOT`) it does one of them in a store that `prepared`
made. It imports little: it is started for every call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.image import store
from provisioner.operations import imagebundle, imagegc, imagemove, imagestore
from tests.support.imagestore import OLD, generation, let_age

BUNDLE = "toy.bundle"


def prepared(root: Path) -> Paths:
    """A store with three generations of an image, all old, and a bundle of the first beside it."""
    paths = Paths.below(root)
    for number in range(3):
        generation(paths, root=b"root %d " % number * 100, tree=True, age=OLD)
    imagebundle.export(paths, ["toy@1"], str(root / BUNDLE), with_trees=True)
    let_age(paths)
    return paths


def rollback(paths: Paths) -> None:
    """Let the name mean generation 1, if it does not yet."""
    if store.catalogue(paths).current["toy"] != 1:
        imagemove.rollback(paths, "toy", "1").make()


def delete(paths: Paths) -> None:
    """Forget generation 1, if it is there yet."""
    if 1 in store.catalogue(paths).generations["toy"]:
        imagestore.delete(paths, "toy@1")


def collect(paths: Paths) -> None:
    """Sweep generations 1 and 2."""
    imagegc.collect(paths, imagegc.plan(paths, keep=1, days=7), keep=1, days=7)


def load(paths: Paths) -> None:
    """Take over the bundle under another name."""
    imagebundle.load(paths, str(paths.site / BUNDLE), "new")


def publish(paths: Paths) -> None:
    """Make one more generation."""
    generation(paths, root=b"root 3", tree=True)


VERBS: Mapping[str, Callable[[Paths], None]] = {
    "rollback": rollback,
    "delete": delete,
    "collect": collect,
    "load": load,
    "publish": publish,
}

if __name__ == "__main__":
    VERBS[sys.argv[1]](Paths.below(Path(sys.argv[2])))
