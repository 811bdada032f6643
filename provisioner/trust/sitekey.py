"""The site key: 32 random bytes from which tokens and SSH host keys of the site are derived."""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from provisioner.errors import IntegrityError
from provisioner.host.files import locked, write_atomically

KEY_BYTES = 32


class SiteKey:
    """A secret that never shows itself: `repr` and `str` hide it."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise IntegrityError(f"a site key has {KEY_BYTES} bytes, this one has {len(secret)}")
        self._secret = secret

    def __repr__(self) -> str:
        return "SiteKey(hidden)"

    def derive(self, purpose: str, *context: str) -> bytes:
        """32 bytes for one purpose (HKDF, RFC 5869): other purposes and contexts give unrelated bytes."""
        info = "\0".join(("provisioner", purpose, *context)).encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._secret)

    @classmethod
    def load_or_create(cls, folder: Path) -> SiteKey:
        """Read `site.key` of a folder, or make it at the first start of a site. IntegrityError when damaged."""
        path = folder / "site.key"
        with locked(folder / ".lock"):
            if not path.exists():
                folder.chmod(0o700)
                write_atomically(path, secrets.token_hex(KEY_BYTES).encode() + b"\n", mode=0o600)
            text = path.read_text()
        try:
            return cls(bytes.fromhex(text.strip()))
        except ValueError:
            hint = "restore it from the backup; a new one makes every SSH host key change"
            raise IntegrityError(f"{path} does not hold a site key", hint=hint) from None
