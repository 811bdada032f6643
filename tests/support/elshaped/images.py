"""The shipped recipes, built from el-shaped repositories, in a store that is kept until something changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.host.files import locked
from provisioner.image.scratch import remove
from provisioner.operations.imagebuild import Places, build_image
from tests.support.elshaped.flavour import CENTOS_7, ROCKY_9, Flavour
from tests.support.elshaped.repository import Repositories, repositories
from tests.support.realsite import CHECKOUT

NAMES = {ROCKY_9: ("baseos", "appstream"), CENTOS_7: ("os", "updates", "epel")}
_CACHE = CHECKOUT / ".cache" / "elshaped-images"


def places(found: Repositories, flavour: Flavour) -> Places:
    """What makes a shipped recipe take its packages from the el-shaped repository."""
    addresses = dict.fromkeys(NAMES[flavour], found.url(flavour))
    return Places(repositories=addresses, key=found.key)


def image_store() -> Path:
    """The folder of an image store with centos-7-compute and rocky-9-compute, both el-shaped."""
    found = repositories()
    site = _CACHE / _ingredients(found)
    with locked(_CACHE.with_suffix(".lock")):
        if not (site / "complete").exists():
            remove(_CACHE)
            for flavour in NAMES:
                build_image(Paths.below(site), f"{flavour.name}-compute", places=places(found, flavour))
            (site / "complete").touch()
    return site / "var" / "images"


def _ingredients(found: Repositories) -> str:
    digest = hashlib.sha256(found.folder.name.encode())
    for path in sorted([*(CHECKOUT / "images").rglob("*"), *(CHECKOUT / "provisioner" / "image").glob("*.py")]):
        if path.is_file():
            digest.update(str(path.relative_to(CHECKOUT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
