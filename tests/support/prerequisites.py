"""What a test needs of the machine: root, and programs. A missing one fails the test and says what to type."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

_PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
_LISTS = tuple(_PACKAGING / name for name in ("debian-packages.txt", "test-packages.txt"))
_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def demand_root() -> None:
    """Fail the test unless it runs as root."""
    if os.geteuid() != 0:
        pytest.fail("this test needs root: run it as root, for example with sudo make test", pytrace=False)


def demand_programs(programs: Iterable[str]) -> None:
    """Fail the test unless all these programs are installed."""
    path = f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}"
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    if missing:
        packages = " ".join(sorted({package_of(program) for program in missing}))
        pytest.fail(f"not installed: {', '.join(missing)}. Type: apt-get install {packages}", pytrace=False)


def package_of(program: str) -> str:
    """The Debian package that brings a program; the program's own name where no list knows it."""
    for line in (line for path in _LISTS for line in path.read_text().splitlines()):
        words = line.split()
        if len(words) > 1 and words[1] == program:
            return words[0]
    return program
