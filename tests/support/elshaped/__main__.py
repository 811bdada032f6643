"""`python -m tests.support.elshaped STATE`: put the el-shaped images into the store of a site, for the demo."""

from __future__ import annotations

import sys
from pathlib import Path

from provisioner.host.run import run
from tests.support.elshaped.images import image_store


def main(state: Path) -> None:
    """Copy both images beside those that are in `state/images`, in the place of older ones of their names."""
    target = state / "images"
    target.mkdir(parents=True, exist_ok=True)
    for name in ("centos-7-compute", "rocky-9-compute"):
        run(["rm", "-rf", str(target / "images" / name)])
    run(["cp", "--archive", "--reflink=auto", f"{image_store()}/.", str(target)], timeout=600)


main(Path(sys.argv[1]))
