"""SSH host keys, derived: nothing to store, nothing to race, and every head of a site agrees.

The private key is written in OpenSSH's own format (PROTOCOL.key in its source). The library that makes the
key writes that format too, but with random check bytes; a rendered file has to be the same each time.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from dataclasses import dataclass
from textwrap import wrap

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provisioner.trust.sitekey import SiteKey

_TYPE = b"ssh-ed25519"
_BLOCK = 8


@dataclass(frozen=True, slots=True, repr=False)
class HostKey:
    """An Ed25519 host key as text: `private` is a whole key file, `public` a line without its comment."""

    private: str
    public: str


def host_key(key: SiteKey, node: str, *, epoch: int = 1) -> HostKey:
    """The host key of a node; a higher epoch gives an unrelated one."""
    seed = key.derive("ssh-host-key", node, str(epoch))
    point = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = wire_string(_TYPE) + wire_string(point)
    check = key.derive("ssh-host-key-check", node, str(epoch))[:4]
    secret = check + check + public + wire_string(seed + point) + wire_string(b"")
    secret += bytes(range(1, 1 + -len(secret) % _BLOCK))
    blob = (
        b"openssh-key-v1\0" + wire_string(b"none") + wire_string(b"none") + wire_string(b"") + struct.pack(">I", 1)
    )
    text = "\n".join(wrap(b64encode(blob + wire_string(public) + wire_string(secret)).decode(), 70))
    private = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----"
    return HostKey(private, f"{_TYPE.decode()} {b64encode(public).decode()}")


def wire_string(data: bytes) -> bytes:
    """A string as SSH writes it: its length, then its bytes (RFC 4251, section 5)."""
    return struct.pack(">I", len(data)) + data
