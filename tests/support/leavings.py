"""What a test run leaves in the checkout: nothing, but for caches and golden files that were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_FOLDERS = ("docs", "images", "overlays", "packaging", "provisioner", "templates", "tests")


def files_of(checkout: Path) -> frozenset[str]:
    """The paths of all files below the folders that people write, without compiled Python."""
    return frozenset(path for folder in _FOLDERS for path in _below(checkout, checkout / folder))


def _below(checkout: Path, folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if "__pycache__" not in path.parts and not path.is_dir():
            yield str(path.relative_to(checkout))
