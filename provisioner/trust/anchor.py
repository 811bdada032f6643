"""What a machine trusts: the site's public keys, put behind the stage 1 that it loads.

The kernel unpacks one archive after the other (Documentation/driver-api/early-userspace/buffer-format.rst), so a
stage 1 needs no change when the site's key does, and an image that comes from another site carries this one's.
Within a unified kernel image they are under its signature, and such an image is made anew when they change.
"""

from __future__ import annotations

from hashlib import sha256

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind
from provisioner.trust.signing import SigningKeys

FOLDER = "usr/lib/provisioner/site"
_ALIGNMENT = 4


def anchor(keys: SigningKeys, generation: str, *, behind: int, authority: bytes = b"") -> bytes:
    """The archive that follows a stage 1 of `behind` bytes: keys, and the generation that the stage 1 is of.

    `authority` is the certificate (PEM) that the head node's own is checked against.
    """
    current, following = keys.public()
    files = {"generation": f"{generation}\n".encode(), "key-1.pem": current, "key-2.pem": following}
    if authority:
        files["ca.pem"] = authority
    entries = [Entry(f"{FOLDER}/{name}", Kind.FILE, content) for name, content in sorted(files.items())]
    archive = cpio.pack([Entry(FOLDER, Kind.DIRECTORY, mode=0o755), *entries])
    # The kernel looks for an archive at multiples of four, and skips zeros before it (init/initramfs.c).
    return b"\0" * (-behind % _ALIGNMENT) + archive


def anchor_digest(keys: SigningKeys, generation: str, *, authority: bytes = b"") -> str:
    """What tells one anchor from another, wherever it lies: 64 hexadecimal digits."""
    return sha256(anchor(keys, generation, behind=0, authority=authority)).hexdigest()
