"""The resolved node: every field set, and the place that each value came from.

Templates, DHCP, DNS and HTTP see only these.
"""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface

from pydantic import BaseModel, ConfigDict

from provisioner.model.address import MacAddress
from provisioner.model.written import RootKind


class Resolved(BaseModel):
    """Base of all resolved models."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Resolved):
    """Where a value was written: file below the site root, line and column from 1, and the entry that holds it."""

    file: str
    line: int
    entry: str
    column: int = 1

    def __str__(self) -> str:
        """`groups.d/compute.yaml:3 (group compute)`."""
        return f"{self.file}:{self.line} ({self.entry})"


class ResolvedInterface(Resolved):
    """A network device of one node. `ip` and `ip6` carry the prefix length of their network."""

    name: str
    network: str
    mac: MacAddress | None = None
    ip: IPv4Interface | None = None
    ip6: IPv6Interface | None = None


class ResolvedNode(Resolved):
    """One node as every service sees it.

    `groups` are linearised, weakest first; `primary` names the interface that boots; `provenance` maps a
    dotted field path (`kernel.args`, `interfaces.eth0.ip`) to every place that contributed, weakest first.
    """

    name: str
    domain: str
    groups: tuple[str, ...]
    image: str | None
    root: RootKind
    system_overlays: tuple[str, ...]
    runtime_overlays: tuple[str, ...]
    kernel_args: tuple[str, ...]
    script: str
    tags: dict[str, str]
    interfaces: tuple[ResolvedInterface, ...]
    primary: str | None
    provenance: dict[str, tuple[Source, ...]]

    @property
    def fqdn(self) -> str:
        """The full name, `n001.cluster.local`."""
        return f"{self.name}.{self.domain}"

    @property
    def boot_interface(self) -> ResolvedInterface | None:
        """The interface that boots, or None where the node has none."""
        return next((each for each in self.interfaces if each.name == self.primary), None)

    def interface_of(self, mac: MacAddress) -> ResolvedInterface | None:
        """The interface with this hardware address."""
        return next((each for each in self.interfaces if each.mac == mac), None)
