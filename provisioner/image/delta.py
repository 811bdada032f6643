"""The difference between two files, as zstd makes it with one of them for its dictionary (`zstd --patch-from`).

Packed roots are compared as they are: blocks of squashfs whose files did not change keep their bytes, so a
changed package moves 1 to 3 per cent of a root. Trees unpacked would give still smaller differences, at four times
the memory, and the receiver would have to pack the very same bytes again.
"""

from __future__ import annotations

from pathlib import Path

from provisioner.errors import CommandError, IntegrityError
from provisioner.host.run import run

LARGEST = 2 << 30
"""Bytes of the larger file that zstd can still take; both files and the result lie in memory, on both sides."""

_WINDOW = "--long=31"


def fits(old: Path, new: Path) -> bool:
    """Whether a difference can be made."""
    return max(old.stat().st_size, new.stat().st_size) < LARGEST


def make(old: Path, new: Path, output: Path) -> None:
    """Write what turns one file into another."""
    run(["zstd", "-q", "-f", "-3", _WINDOW, f"--patch-from={old}", new, "-o", output], timeout=4 * 3600)


def apply(old: Path, difference: Path, output: Path) -> None:
    """Turn a file into another one. IntegrityError for what is no difference to it.

    The caller checks the digest of the result.
    """
    command: list[str | Path] = [
        "zstd",
        "-d",
        "-q",
        "-f",
        _WINDOW,
        f"--patch-from={old}",
        difference,
        "-o",
        output,
    ]
    try:
        run(command, timeout=4 * 3600)
    except CommandError as error:
        raise IntegrityError(f"{difference.name} is no difference to {old.name}: {error.output}") from None
