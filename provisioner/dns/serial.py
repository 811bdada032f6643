"""Serial numbers of the zones: another one for every revision, and never a smaller one (RFC 1982)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from provisioner.host.files import write_atomically

logger = logging.getLogger(__name__)

_MODE = 0o640
_MOST = 0xFFFF_FFFF


class Serials:
    """The serial of the served revision: the time of its first use in Unix seconds, or one more than the last.

    A revision that comes back (`prov undo`) is a change like any other. The last one is kept in a file, so that
    neither a restart nor a clock that was set back makes a serial smaller; without the file the time decides.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._revision, self._serial = _read(path)
        # The disk may take its time, and who asks for a serial answers packets meanwhile.
        self._writer = ThreadPoolExecutor(1, "dns-serial")

    def of(self, revision: str) -> int:
        """The serial of a revision, which is the current one from now on."""
        if revision != self._revision:
            self._revision = revision
            self._serial = min(max(self._serial + 1, int(self._now())), _MOST)
            self._writer.submit(_write, self._path, revision, self._serial)
        return self._serial

    def close(self) -> None:
        """Wait until the last serial is on the disk."""
        self._writer.shutdown()


def _write(path: Path, revision: str, serial: int) -> None:
    content = json.dumps({"revision": revision, "serial": serial}) + "\n"
    try:
        write_atomically(path, content.encode(), mode=_MODE)
    except OSError as error:
        logger.warning("the serial of the DNS zones is not kept: %s: %s", path, error.strerror)


def _read(path: Path) -> tuple[str, int]:
    try:
        kept = json.loads(path.read_text())
        return str(kept["revision"]), int(kept["serial"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0
