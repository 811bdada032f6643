"""The files that exist by TFTP: an explicit table. A name from the network never becomes a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from typing import Any

from provisioner.boot.loader import SECOND_STAGES, Shelf
from provisioner.errors import ProvisionerError
from provisioner.tftp.packet import ErrorCode

LOADER_FOLDERS = (
    *(Path("/usr/lib/ipxe"), Path("/usr/share/ipxe")),
    *(Path("/usr/lib/shim"), Path("/usr/lib/grub/x86_64-efi-signed"), Path("/usr/lib/grub/arm64-efi-signed")),
)
"""Where Debian and the EL family install iPXE, and Debian its signed shim and GRUB."""

# Served name: the names that distributions give the file.
_LOADERS: Mapping[str, tuple[str, ...]] = {
    "undionly.kpxe": ("undionly.kpxe",),
    "snponly.efi": ("snponly.efi", "ipxe-snponly-x86_64.efi"),
    "ipxe.efi": ("ipxe.efi", "ipxe-x86_64.efi"),
    "snponly-arm64.efi": ("snponly-arm64.efi", "arm64-efi/snponly.efi"),
    "ipxe-arm64.efi": ("ipxe-arm64.efi", "arm64-efi/ipxe.efi"),
    "ipxe.pxe": ("ipxe.pxe",),
    "shimx64.efi": ("shimx64.efi", "shimx64.efi.signed"),
    "grubx64.efi": ("grubx64.efi", "grubnetx64.efi.signed"),
    "shimaa64.efi": ("shimaa64.efi", "shimaa64.efi.signed"),
    "grubaa64.efi": ("grubaa64.efi", "grubnetaa64.efi.signed"),
}

# The end of a module inside a GRUB image: what it needs, and its name (sections .moddeps and .modname).
_MODULE_HTTP = b"\0net\0http\0"

Renderer = Callable[[str], bytes]
"""Makes the content for the client with this address; called on the event loop, so within 5 ms."""


OPTIONAL = re.compile(r"(?:revocations_\w+|shim_certificate_\d+)\.efi|grub/(?:x86_64|arm64)-efi/\w+\.lst")
"""What shim and GRUB look for and do not need: that it is not there is worth no warning."""


class RefusedError(ProvisionerError):
    """A file that its client may not have; `code` is what it is told."""

    def __init__(self, message: str, code: ErrorCode) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Held:
    """Content, and who is told how its transfer ended: with the octets that went out, or None, and the seconds."""

    content: bytes | mmap
    sent: Callable[[int | None, float], None] | None = None


Finder = Callable[[str, str], Coroutine[Any, Any, Held] | None]
"""Content by name and the client's address that takes longer than a turn of the loop; None for unknown names."""


def _nothing(_name: str, _client: str) -> None:
    """No name is known."""


@dataclass(frozen=True, slots=True)
class Table:
    """Names and what they hold: the same bytes for everybody, or made for the client, at once or soon."""

    files: Mapping[str, bytes]
    rendered: Mapping[str, Renderer] = field(default_factory=dict)
    soon: Finder = _nothing

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


def shelf_of(loaders: Mapping[str, bytes]) -> Shelf:
    """What the policy knows of the loaders that there are."""
    grubs = (name for name in SECOND_STAGES.values() if _MODULE_HTTP in loaders.get(name, b""))
    return Shelf(frozenset(loaders), frozenset(grubs))
