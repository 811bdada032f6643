"""Keys of nobody in the form of real ones, for whoever renders to see whether it works."""

from __future__ import annotations

import hashlib
from functools import cached_property

from provisioner.model.resolved import ResolvedNode
from provisioner.overlay.context import Identity, SshKeys
from provisioner.render.escape import Multiline
from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import KEY_BYTES, SiteKey

_NO_KEY = SiteKey(bytes(KEY_BYTES))
_NOBODY = "nobody"


class KeyShapes(Identity):
    """One made-up key for all nodes: it costs nothing for each, and no secret of the site is needed."""

    def __init__(self) -> None:
        super().__init__(_NO_KEY)

    def machine_id(self, name: str) -> str:
        """Digits as in a machine id."""
        return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()

    def ssh(self, node: ResolvedNode) -> SshKeys:
        """A pair of keys and a certificate, the same for every node."""
        del node
        return self._keys

    def public_host_key(self, name: str) -> str:
        """The public half, the same for every node."""
        del name
        return self._keys.host_public_key

    @cached_property
    def _keys(self) -> SshKeys:
        pair = host_key(_NO_KEY, _NOBODY)
        certificate = self.authority.certificate(_NOBODY, pair.public, [_NOBODY])
        return SshKeys(Multiline(pair.private), pair.public, certificate)
