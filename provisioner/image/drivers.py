"""The drivers that an image has for its kernel: as files, or built into it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from provisioner.config.paths import Paths
from provisioner.image import inside, store
from provisioner.model.image import Generation
from provisioner.model.imagefiles import ImageFiles

_MODULE = re.compile(r"/lib/modules/(?P<release>[^/]+)/.*?(?P<name>[^/]+)\.ko(\.(xz|gz|zst))?")
_KINDS = re.compile(r"/kernel/drivers/(net|block|scsi|nvme|ata|infiniband|virtio|message|md)/")
_LIMIT = 1 << 20


def normal(name: str) -> str:
    """The name of a driver as the kernel says it: with underscores."""
    return name.replace("-", "_")


def modules_of(generation: Generation, files: ImageFiles) -> dict[str, str]:
    """The paths of the drivers that the generation's kernel can load, by their names."""
    found: dict[str, str] = {}
    for path in files:
        match = _MODULE.search(path)
        if match and match["release"] == generation.kernel_release:
            found[normal(match["name"])] = path
    return found


def built_in(paths: Paths, generation: Generation) -> frozenset[str]:
    """The drivers inside of the kernel; none where the tree is not there, or this user may not look."""
    tree = store.tree_path(paths, generation.tree)
    try:
        file = inside.resolve(tree, f"/lib/modules/{generation.kernel_release}/modules.builtin")
        content = inside.read_regular(file, limit=_LIMIT)
    except OSError:
        return frozenset()
    lines = (content or b"").decode(errors="replace").splitlines()
    return frozenset(normal(line.rpartition("/")[2].partition(".ko")[0]) for line in lines)


def for_hardware(modules: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Those of some drivers, by name and path, that machines have cards and disks for."""
    return frozenset(name for name, path in modules if _KINDS.search(path))
