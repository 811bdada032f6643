"""The epoch of a key, such as that of tokens: raised to rotate it, while what the epoch before signed stays good.

The keys themselves are derived from the site key (trust.token, trust.signing), so an epoch is no secret, and heads
of one site agree as soon as they have the same number.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from provisioner.errors import IntegrityError
from provisioner.host.files import locked, write_atomically

_FILE = "token-epoch.json"


@dataclass(frozen=True, slots=True)
class TokenEpoch:
    """The epoch in use, counted from 1, and when it began (Unix seconds; 0 for the first one)."""

    number: int = 1
    since: float = 0.0


def read_epoch(folder: Path, file: str = _FILE) -> TokenEpoch:
    """The epoch of a folder of keys; the first one where nothing was ever rotated. IntegrityError when damaged."""
    path = folder / file
    try:
        found = json.loads(path.read_text())
        number, since = int(found["number"]), float(found["since"])
    except FileNotFoundError:
        return TokenEpoch()
    except (ValueError, KeyError, TypeError):
        number, since = 0, 0.0
    if number < 1:
        raise IntegrityError(f"{path} does not hold an epoch", hint="prov keys rotate writes it anew")
    return TokenEpoch(number, since)


def rotate(folder: Path, *, now: float, revoke: bool = False, file: str = _FILE) -> TokenEpoch:
    """Begin the next epoch. `revoke` skips one, so that nothing that was signed up to now is good any more."""
    with locked(folder / ".lock"):
        try:
            last = read_epoch(folder, file).number
        except IntegrityError:
            # Whatever it was: larger than any epoch that people reach by hand, so none of its keys comes back.
            last = int(now)
        begun = TokenEpoch(last + (2 if revoke else 1), now)
        write_atomically(folder / file, json.dumps(asdict(begun)).encode() + b"\n")
    return begun


class WatchedEpoch:
    """The number of the epoch as it is now: a rotation holds from the very next call.

    A file that cannot be read leaves the last number that could, so that nodes go on booting.
    """

    def __init__(self, folder: Path, file: str = _FILE) -> None:
        self._folder, self._file = folder, file
        self._number = read_epoch(folder, file).number
        self._version: tuple[int, int] | None = None

    def __call__(self) -> int:
        """The number."""
        with suppress(IntegrityError, OSError):
            if self._version != (version := self._look()):
                self._number, self._version = read_epoch(self._folder, self._file).number, version
        return self._number

    def _look(self) -> tuple[int, int]:
        # A rotation replaces the file, so its inode or its time is another one; a look costs four microseconds.
        found = (self._folder / self._file).stat()
        return found.st_ino, found.st_mtime_ns
