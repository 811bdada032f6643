"""What machines logged until their hand-over: one packed file a boot, thrown away by age and by size."""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from pathlib import Path

from provisioner.errors import IntegrityError, NotFoundError
from provisioner.host.files import write_atomically

MOST_PACKED = 256 << 10
"""Bytes that the packed log of one boot may have."""

MOST_IN_ALL = 256 << 20
"""Bytes that all of them together may have; the oldest go first."""

_MOST_TEXT = 4 << 20
_ID = re.compile(r"[0-9a-z]{1,64}")
# RFC 1952: windows of up to 32 KiB, and the header of gzip.
_GZIP = 16 + zlib.MAX_WBITS


class BootLogs:
    """The folder of logs, by the id of the boot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, boot: str, packed: bytes) -> None:
        """Keep what a machine sent (gzip, unread), in the place of what it sent for this boot before."""
        write_atomically(self._file(boot), packed, mode=0o640)

    def read(self, boot: str) -> str:
        """The log of a boot, its first 4 MiB. NotFoundError where none came, IntegrityError where it is no gzip.

        A machine sent it: nothing in it is trusted, so it may be anything that is text.
        """
        try:
            packed = self._file(boot).read_bytes()
        except FileNotFoundError:
            hint = "a boot sends it when stage 1 ends, well or not; its image may be older than this"
            raise NotFoundError(f"there is no log of the boot {boot}", hint=hint) from None
        try:
            text = zlib.decompressobj(_GZIP).decompress(packed, _MOST_TEXT)
        except zlib.error as error:
            raise IntegrityError(f"the log of the boot {boot} is damaged: {error}") from None
        return text.decode(errors="replace")

    def sweep(self, before: float, most: int = MOST_IN_ALL) -> int:
        """Throw away logs from before a time (Unix seconds), and the oldest beyond `most` bytes; how many went."""
        room, gone = most, 0
        for path, time, size in self._newest_first():
            room -= size
            if time < before or room < 0:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _newest_first(self) -> list[tuple[Path, float, int]]:
        found: list[tuple[Path, float, int]] = []
        for path in self._folder.glob("*.gz"):
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append((path, status.st_mtime, status.st_size))
        return sorted(found, key=lambda each: each[1], reverse=True)

    def _file(self, boot: str) -> Path:
        if not _ID.fullmatch(boot):
            raise NotFoundError(f"{boot!r} is not the id of a boot", hint="prov boot list")
        return self._folder / f"{boot}.gz"
