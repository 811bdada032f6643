"""Programs besides images that a machine may run: an explicit table of what distributions install."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

TOOL_FOLDERS = (Path("/boot"),)
"""Where Debian's package memtest86+ puts its files."""

MEMORY_TESTS = ("memtest86+x64.bin", "memtest86+x64.efi")
"""For BIOS, by the boot protocol of Linux, and for UEFI."""


def find_tools(folders: Iterable[Path] = TOOL_FOLDERS) -> dict[str, Path]:
    """The files of the table that these folders have, by the name that they are served by; earlier ones win."""
    found: dict[str, Path] = {}
    for folder in folders:
        for name in MEMORY_TESTS:
            if (folder / name).is_file():
                found.setdefault(name, folder / name)
    return found
