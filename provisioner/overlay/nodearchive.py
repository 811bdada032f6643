"""The archive of one node that boots an image as its initramfs: what stage 1 would have fetched and laid down.

The kernel unpacks it over the image, after it (Documentation/driver-api/early-userspace/buffer-format.rst). All of
it lies below `.provisioner`, because a kernel that unpacks follows no rule of ours: it would replace a link of the
image that leads to a folder by the folder, and make no parents. `images/stage1/single/init` lays it down:

    files/      the system overlays of the node
    names       their paths, a line each, as they have to be made
    run/        what becomes /run/provisioner: `url`, `boot`, `token` (root only), and `ca` with TLS
    links/      what becomes /run/systemd/network: the name of the device that boots
    whole       empty, and last: where it is, nothing was cut off
"""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind, with_parents
from provisioner.model.address import MacAddress
from provisioner.overlay.manifest import FOLDER

OWN = ".provisioner"
_SECRET = frozenset({"token"})


def node_archive(overlay: bytes, told: Mapping[str, bytes], device: tuple[str, MacAddress]) -> bytes:
    """The archive (newc cpio, not compressed) of a node.

    `overlay` is the archive of its system overlays, `told` the files of `run/` by name, `device` the name and
    address of the interface that boots. Raises ValueError for an overlay that is no such archive.
    """
    files = cpio.unpack(overlay)
    names = "".join(f"{entry.path}\n" for entry in files if entry.path.partition("/")[0] != FOLDER)
    entries = [
        *(_moved(entry) for entry in files),
        _file("names", names.encode("utf-8", "surrogateescape")),
        *(_file(f"run/{name}", text, mode=0o600 if name in _SECRET else 0o644) for name, text in told.items()),
        _file(f"links/01-provisioner-{device[0]}.link", _link(*device)),
    ]
    return cpio.pack([*with_parents(entries), _file("whole", b"")])


def _moved(entry: Entry) -> Entry:
    return Entry(f"{OWN}/files/{entry.path}", entry.kind, entry.content, entry.mode, entry.uid, entry.gid)


def _file(path: str, content: bytes, *, mode: int = 0o644) -> Entry:
    return Entry(f"{OWN}/{path}", Kind.FILE, content, mode=mode)


def _link(name: str, mac: MacAddress) -> bytes:
    """systemd.link(5). Nobody has switched the device on yet, so udev can give it the name that people wrote."""
    return f"[Match]\nMACAddress={mac}\nType=ether\n\n[Link]\nName={name}\n".encode()
