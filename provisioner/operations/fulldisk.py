"""A full disk, told as what it is: whichever step or program came upon it, the file system is named."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.errors import ProvisionerError, UnavailableError

_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)


@contextmanager
def naming(place: Path, hint: str) -> Iterator[None]:
    """Raise UnavailableError, which names the file system of `place`, where what is done finds no room there."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full(place, str(error), hint) from None
    except ProvisionerError as error:
        if not _FULL.search(error.message):
            raise
        raise _full(place, error.message, hint) from None


def _full(place: Path, reason: str, hint: str) -> UnavailableError:
    above = place.resolve()
    while not above.is_mount():
        above = above.parent
    return UnavailableError(f"the file system at {above} is full: {reason[-300:]}", hint=hint)
