"""The files that exist by TFTP: an explicit table. A name from the network never becomes a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOADER_FOLDERS = (Path("/usr/lib/ipxe"), Path("/usr/share/ipxe"))
"""Where Debian and the EL family install iPXE."""

# Served name: the names that distributions give the file.
_LOADERS: Mapping[str, tuple[str, ...]] = {
    "undionly.kpxe": ("undionly.kpxe",),
    "snponly.efi": ("snponly.efi", "ipxe-snponly-x86_64.efi"),
    "ipxe.efi": ("ipxe.efi", "ipxe-x86_64.efi"),
    "snponly-arm64.efi": ("snponly-arm64.efi", "arm64-efi/snponly.efi"),
    "ipxe-arm64.efi": ("ipxe-arm64.efi", "arm64-efi/ipxe.efi"),
}

Renderer = Callable[[str], bytes]
"""Makes the content for the client with this address; called on the event loop, so within 5 ms."""


@dataclass(frozen=True, slots=True)
class Table:
    """Names and what they hold: the same bytes for everybody, or made for the client that asks."""

    files: Mapping[str, bytes]
    rendered: Mapping[str, Renderer] = field(default_factory=dict)

    def find(self, name: str, client: str) -> bytes | None:
        """The content of a name for the client with this address. Firmware may put a slash before the name."""
        plain = name.removeprefix("/")
        render = self.rendered.get(plain)
        return render(client) if render else self.files.get(plain)


def read_loaders(folders: Iterable[Path] = LOADER_FOLDERS) -> dict[str, bytes]:
    """The loaders that these folders hold, by served name; earlier folders win. Missing ones are left out."""
    places = list(folders)
    found: dict[str, bytes] = {}
    for served, names in _LOADERS.items():
        candidates = (folder / name for folder in places for name in names)
        path = next((each for each in candidates if each.is_file()), None)
        if path is not None:
            found[served] = path.read_bytes()
    return found
