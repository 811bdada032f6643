"""The cluster's authority for SSH host keys: one line in known_hosts instead of one for each node.

The authority's key is derived from the site key like the host keys, so every head signs the same certificates.
The library that makes the keys builds certificates too, but with a random nonce; a rendered file has to be the
same each time. Format: PROTOCOL.certkeys of OpenSSH.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provisioner.trust.hostkey import wire_string
from provisioner.trust.sitekey import SiteKey

_KEY_TYPE = b"ssh-ed25519"
_CERTIFICATE_TYPE = b"ssh-ed25519-cert-v01@openssh.com"
_HOST = 2
# A node without a clock must be able to show it, and it is made again with every key: the end is with the key.
_ALWAYS = (0, (1 << 64) - 1)


class HostAuthority:
    """Signs the host keys of one site. A higher epoch is an unrelated authority."""

    def __init__(self, key: SiteKey, *, epoch: int = 1) -> None:
        self._key = key
        self._epoch = str(epoch)
        self._private = Ed25519PrivateKey.from_private_bytes(key.derive("ssh-host-authority", self._epoch))
        point = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._blob = wire_string(_KEY_TYPE) + wire_string(point)

    @property
    def public(self) -> str:
        """The public key, as a line without its comment."""
        return f"{_KEY_TYPE.decode()} {b64encode(self._blob).decode()}"

    def certificate(self, node: str, public: str, names: Iterable[str]) -> str:
        """The certificate of a node's Ed25519 host key, as a line; `names` are what people may call the node.

        Raises ValueError for another kind of key.
        """
        blob = b64decode(public.split()[1])
        start = wire_string(_KEY_TYPE) + struct.pack(">I", 32)
        if len(blob) != len(start) + 32 or not blob.startswith(start):
            raise ValueError(f"the host key of {node} is no Ed25519 key")
        principals = b"".join(wire_string(name.encode()) for name in names)
        nonce = self._key.derive("ssh-host-certificate", self._epoch, node, public)
        body = wire_string(_CERTIFICATE_TYPE) + wire_string(nonce) + wire_string(blob[-32:])
        body += struct.pack(">QI", 0, _HOST) + wire_string(node.encode()) + wire_string(principals)
        # No critical options, no extensions, nothing reserved.
        body += struct.pack(">QQ", *_ALWAYS) + wire_string(b"") * 3 + wire_string(self._blob)
        signature = wire_string(_KEY_TYPE) + wire_string(self._private.sign(body))
        return f"{_CERTIFICATE_TYPE.decode()} {b64encode(body + wire_string(signature)).decode()}"
