"""What templates see: the node, all nodes, the site, the head node, the node's SSH keys.

Everything is made when a template asks for it: most templates use little, and keys and lists of all nodes cost
more than the text that they end up in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from uuid import UUID

from provisioner.model.address import Address
from provisioner.model.hostnames import all_names
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.overlay.hosttrust import HostTrust
from provisioner.overlay.links import links_of
from provisioner.render.escape import Multiline
from provisioner.trust.hostca import HostAuthority
from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import SiteKey

HEAD_NAME = "provisioner"


@dataclass(frozen=True, slots=True)
class Head:
    """The head node as one node sees it. `resolvers` are the name servers that the node shall use."""

    name: str
    domain: str
    address: IPv4Address
    url: str
    resolvers: tuple[Address, ...]


@dataclass(frozen=True, slots=True, repr=False)
class SshKeys:
    """The node's own host key and the certificate of the site's authority for it, as texts."""

    host_private_key: Multiline
    host_public_key: str
    host_certificate: str


class Identity:
    """What only one node has: its machine id and its SSH host key, derived from the site key and its name."""

    def __init__(self, key: SiteKey) -> None:
        self._key = key
        self._public_keys: dict[str, str] = {}

    def machine_id(self, name: str) -> str:
        """The machine id of a node (machine-id(5)): in the form of a version 4 UUID, equal on every head."""
        return UUID(bytes=self._key.derive("machine-id", name)[:16], version=4).hex

    def ssh(self, node: ResolvedNode) -> SshKeys:
        """The host key of a node."""
        pair = host_key(self._key, node.name)
        certificate = self.authority.certificate(node.name, pair.public, map(str.lower, all_names(node)))
        return SshKeys(Multiline(pair.private), pair.public, certificate)

    def public_host_key(self, name: str) -> str:
        """The public host key of a node, made once: a list of all of them is asked for again and again."""
        known = self._public_keys.get(name)
        if known is None:
            known = self._public_keys[name] = host_key(self._key, name).public
        return known

    @cached_property
    def authority(self) -> HostAuthority:
        """Who signs the host keys."""
        return HostAuthority(self._key)


class AllNodes(list[ResolvedNode]):
    """Every node, sorted by name. Lists with one `stamp` are equal, which to compare would take long."""

    def __init__(self, snapshot: Snapshot, stamp: object) -> None:
        super().__init__(snapshot.nodes[name] for name in sorted(snapshot.nodes))
        self.stamp = stamp


class Surroundings:
    """What the nodes of one snapshot have in common; one object serves them all.

    Two of them with one `stamp` promise to have equal nodes.
    """

    def __init__(self, snapshot: Snapshot, identity: Identity, stamp: object = None) -> None:
        self.snapshot = snapshot
        self.identity = identity
        self._stamp = stamp or object()
        self._heads: dict[str | None, Head] = {}

    @cached_property
    def nodes(self) -> AllNodes:
        """Every node, sorted by name."""
        return AllNodes(self.snapshot, self._stamp)

    @cached_property
    def host_trust(self) -> HostTrust:
        """Whose SSH host keys the nodes trust."""
        identity = self.identity
        return HostTrust(self.snapshot, identity.authority.public, identity.public_host_key, self._stamp)

    def head(self, node: ResolvedNode) -> Head:
        """The head node in the network that this node boots from."""
        interface = node.boot_interface
        network = interface.network if interface else None
        known = self._heads.get(network)
        if known is None:
            known = self._heads[network] = head_for(self.snapshot, node)
        return known

    def context(self, node: ResolvedNode) -> Context:
        """The variables of every overlay template for one node."""
        return Context(self, node)


class Context(Mapping[str, object]):
    """The variables of every overlay template for one node; each is made at its first use."""

    def __init__(self, surroundings: Surroundings, node: ResolvedNode) -> None:
        self._surroundings = surroundings
        self._node = node
        self._made: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        if name not in self._made:
            self._made[name] = _VARIABLES[name](self._surroundings, self._node)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in _VARIABLES

    def __iter__(self) -> Iterator[str]:
        return iter(_VARIABLES)

    def __len__(self) -> int:
        return len(_VARIABLES)

    def __repr__(self) -> str:
        return f"Context({self._node.name})"


_VARIABLES: Mapping[str, Callable[[Surroundings, ResolvedNode], object]] = {
    "node": lambda _, node: node,
    "nodes": lambda around, _: around.nodes,
    "site": lambda around, _: around.snapshot.site,
    "cluster": lambda around, _: around.snapshot.site.cluster,
    "head": lambda around, node: around.head(node),
    "machine_id": lambda around, node: around.identity.machine_id(node.name),
    "ssh": lambda around, node: around.identity.ssh(node),
    "host_trust": lambda around, _: around.host_trust,
    "links": lambda around, node: links_of(around.snapshot.site, node),
}

# The variables that nodes share: `head` those that boot from one network, the others all of them.
SHARED = frozenset({"nodes", "site", "cluster", "head", "host_trust"})


def head_for(snapshot: Snapshot, node: ResolvedNode) -> Head:
    """The head node in the network that this node boots from."""
    interface = node.boot_interface
    networks = snapshot.site.networks
    network = networks[interface.network] if interface else next(iter(networks.values()))
    url = f"http://{network.head}:{snapshot.site.ports.http}"
    return Head(HEAD_NAME, network.domain, network.head, url, network.dns or (network.head,))


def context_for(snapshot: Snapshot, node: ResolvedNode, key: SiteKey) -> Context:
    """The variables of every overlay template for one node; for many nodes keep one `Surroundings`."""
    return Surroundings(snapshot, Identity(key)).context(node)
