"""Folders below .cache that are dear to make: built once, whoever asks first, and kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from provisioner.host.files import locked


def built_once(folder: Path, build: Callable[[Path], object]) -> Path:
    """The folder, filled by `build` where that was never finished. Of several that ask at once one builds."""
    complete = folder / "complete"
    with locked(folder.parent.with_suffix(".lock")):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            build(folder)
            complete.touch()
    return folder
