"""Programs of Debian packages that are unpacked and not installed (`packaging/debian-unpacked.txt`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "debian"


def program(path: str) -> Path:
    """The full path of a program, `usr/sbin/chronyd`; fails the test where it was not unpacked."""
    found = FOLDER / path
    if not found.exists():
        pytest.fail(f"{path} is not there. Type: packaging/unpack-debian-packages.sh {FOLDER}", pytrace=False)
    return found


def environment() -> Mapping[str, str]:
    """What such a program needs to find its libraries."""
    folders = sorted({str(path.parent) for path in FOLDER.glob("usr/lib/**/*.so*")})
    return {"LD_LIBRARY_PATH": ":".join(folders)}
