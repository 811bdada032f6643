"""What Apptainer adds to the roots of its containers, and no machine has a use for."""

from __future__ import annotations

import shutil
from pathlib import Path

_FOLDER = ".singularity.d"
_LINKS = ("environment", "singularity", ".exec", ".run", ".shell", ".test")


def forget(tree: Path) -> tuple[str, ...]:
    """Remove it, and say so; other entries of these names stay."""
    folder = tree / _FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return ()
    links = [tree / name for name in _LINKS if _leads_there(tree / name)]
    for link in links:
        link.unlink()
    shutil.rmtree(folder)
    names = " ".join(f"/{path.name}" for path in (folder, *links))
    return (f"left out what Apptainer adds: {names}",)


def _leads_there(place: Path) -> bool:
    return place.is_symlink() and str(place.readlink()).lstrip("/").startswith(f"{_FOLDER}/")
