"""The rendered overlays that the front keeps: a node asks for one twice, for its digest and for its bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from provisioner.overlay.rendered import OverlayKind, RenderedOverlay

MEMORY = 256 << 20
"""How many bytes of archives are kept, by default."""

# What the key, the digest and the places in the table take.
_OVERHEAD = 1024


class OverlayKey(NamedTuple):
    """What an archive depends on; `keys` is another number when host keys were taken over (trust.importedkeys)."""

    revision: str
    node: str
    kind: OverlayKind
    generation: str
    keys: int = 0


class KeptOverlays:
    """The archives that were asked for last, as many as fit into `limit` bytes, and always the newest one."""

    def __init__(self, limit: int = MEMORY) -> None:
        self._limit = limit
        self._kept: OrderedDict[OverlayKey, RenderedOverlay] = OrderedDict()
        self._size = 0

    def get(self, key: OverlayKey) -> RenderedOverlay | None:
        """An archive that was added and not forgotten since."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def add(self, key: OverlayKey, overlay: RenderedOverlay) -> None:
        """Keep an archive; those that nobody asked for the longest go where it needs their room.

        One with secrets is not kept: it is made again for whoever asks again.
        """
        self._forget(key)
        if overlay.has_secrets:
            return
        self._kept[key] = overlay
        self._size += _weight(overlay)
        while self._size > self._limit and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: OverlayKey) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._size -= _weight(gone)


def _weight(overlay: RenderedOverlay) -> int:
    return _OVERHEAD + len(overlay.archive)
