"""Words in place of keys, for whoever shows what templates make: no key is needed, and none is shown."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from provisioner.model.hostnames import all_names
from provisioner.model.resolved import ResolvedNode
from provisioner.overlay.context import Identity, SshKeys
from provisioner.render.escape import Multiline
from provisioner.trust.hostca import HostAuthority
from provisioner.trust.sitekey import KEY_BYTES, SiteKey

_NO_KEY = SiteKey(bytes(KEY_BYTES))


class StandIns(Identity):
    """Names of keys. They differ for two nodes, and where what a key is made from differs."""

    def __init__(self) -> None:
        super().__init__(_NO_KEY)

    def machine_id(self, name: str) -> str:
        """Words for a machine id."""
        return f"(machine id of {name})"

    def ssh(self, node: ResolvedNode) -> SshKeys:
        """Words for a host key and its certificate."""
        public = self.public_host_key(node.name)
        certificate = self.authority.certificate(node.name, public, all_names(node))
        return SshKeys(Multiline(f"(private host key of {node.name})"), public, certificate)

    def public_host_key(self, name: str) -> str:
        """Words for the public half."""
        return f"(host key of {name})"

    @cached_property
    def authority(self) -> HostAuthority:
        """Who would sign."""
        return _NoAuthority(_NO_KEY)


class _NoAuthority(HostAuthority):
    @property
    def public(self) -> str:
        """Words for the key of the authority."""
        return "(key of the host authority)"

    def certificate(self, node: str, public: str, names: Iterable[str]) -> str:
        """Words for a certificate."""
        return f"(certificate of {node} for {', '.join(names)}: {public})"
