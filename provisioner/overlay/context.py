"""What templates see: the node, all nodes, the site, the head node, the node's SSH keys.

Everything is made when a template asks for it: most templates use little, and keys and lists of all nodes cost
more than the text that they end up in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from provisioner.model.address import Address, http_url
from provisioner.model.hostnames import all_names
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.overlay.hosttrust import HostTrust
from provisioner.overlay.imagefacts import ImageFacts
from provisioner.overlay.includes import NO_INCLUDES, Includes
from provisioner.overlay.links import links_of
from provisioner.overlay.secretbox import REFUSED, VARIABLE, SecretBox, SecretSource, SecretWords
from provisioner.render.escape import Multiline
from provisioner.trust.hostca import HostAuthority
from provisioner.trust.hostkey import host_key
from provisioner.trust.importedkeys import ImportedKeys
from provisioner.trust.sitekey import SiteKey

HEAD_NAME = "provisioner"


@dataclass(frozen=True, slots=True)
class Head:
    """The head node as one node sees it. `resolvers` are the name servers that the node shall use."""

    name: str
    domain: str
    address: Address
    url: str
    resolvers: tuple[Address, ...]


@dataclass(frozen=True, slots=True, repr=False)
class ImportedKey:
    """A further host key that the node had before, of another kind (rsa, ecdsa), as texts."""

    kind: str
    private_key: Multiline
    public_key: str


@dataclass(frozen=True, slots=True, repr=False)
class SshKeys:
    """The node's own host key and the certificate of the site's authority for it, as texts.

    `imported` are keys of other kinds that were taken over from the node (`prov import hostkeys`).
    """

    host_private_key: Multiline
    host_public_key: str
    host_certificate: str
    imported: tuple[ImportedKey, ...] = ()


class Identity:
    """What only one node has: its machine id and its SSH host key, derived from the site key and its name.

    Host keys that were taken over from nodes, `imported`, are stronger than derived ones.
    """

    def __init__(self, key: SiteKey, imported: ImportedKeys | None = None) -> None:
        self._key = key
        self._imported = imported
        self._public_keys: dict[str, str] = {}
        self._seen = 0

    @property
    def stamp(self) -> int:
        """Another number whenever the host keys that were taken over have become others."""
        return self._imported.stamp if self._imported else 0

    def machine_id(self, name: str) -> str:
        """The machine id of a node (machine-id(5)): in the form of a version 4 UUID, equal on every head."""
        return UUID(bytes=self._key.derive("machine-id", name)[:16], version=4).hex

    def ssh(self, node: ResolvedNode) -> SshKeys:
        """The host key of a node."""
        kept = self._imported.of(node.name) if self._imported else {}
        pair = kept.pop("ed25519", None) or host_key(self._key, node.name)
        certificate = self.authority.certificate(node.name, pair.public, map(str.lower, all_names(node)))
        others = (ImportedKey(kind, Multiline(each.private), each.public) for kind, each in kept.items())
        return SshKeys(Multiline(pair.private), pair.public, certificate, tuple(others))

    def public_host_key(self, name: str) -> str:
        """The public host key of a node, made once: a list of all of them is asked for again and again."""
        if self.stamp != self._seen:
            self._seen = self.stamp
            self._public_keys.clear()
        known = self._public_keys.get(name)
        if known is None:
            kept = self._imported.of(name, ["ed25519"]).get("ed25519") if self._imported else None
            known = self._public_keys[name] = (kept or host_key(self._key, name)).public
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

    Two of them with one `stamp` promise to have equal nodes. `includes` are the site's files and images. `secrets`
    are words for secrets, unless real ones are given.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        identity: Identity,
        stamp: object = None,
        *,
        includes: Includes = NO_INCLUDES,
        secrets: SecretSource | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.identity = identity
        self.includes = includes
        self.secrets = SecretBox(secrets or SecretWords())
        self._stamp = stamp or object()
        self._heads: dict[object, Head] = {}

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
        place = (interface.network, interface.ip is None) if interface else None
        known = self._heads.get(place)
        if known is None:
            known = self._heads[place] = head_for(self.snapshot, node)
        return known

    def context(self, node: ResolvedNode, image: str | None = None) -> Context:
        """The variables of every overlay template for one node, over its own image or another one."""
        return Context(self, node, image)


class Context(Mapping[str, object]):
    """The variables of every overlay template for one node; each is made at its first use."""

    def __init__(self, surroundings: Surroundings, node: ResolvedNode, image: str | None = None) -> None:
        self._surroundings = surroundings
        self._node = node
        self._image = image or node.image
        self._made: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        if name not in self._made:
            self._made[name] = self.image if name == "image" else _VARIABLES[name](self._surroundings, self._node)
        return self._made[name]

    @property
    def image(self) -> ImageFacts:
        """What the image holds that the node boots."""
        return self._surroundings.includes.image_of(self._image)

    def without_secrets(self) -> Context:
        """The same for overlays that may not use secrets."""
        other = Context(self._surroundings, self._node, self._image)
        other._made = {**self._made, VARIABLE: REFUSED}
        return other

    def __contains__(self, name: object) -> bool:
        return name in _NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)

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
    "site_file": lambda around, _: around.includes.site_file,
    # Nothing that nodes share: what reads it is rendered for each node alone.
    VARIABLE: lambda around, _: around.secrets,
}
_NAMES = (*_VARIABLES, "image")

# The variables that nodes share: `head` those that boot from one network, `image` those that boot one generation,
# the others all of them.
SHARED = frozenset({"nodes", "site", "cluster", "head", "host_trust", "image", "site_file"})


def head_for(snapshot: Snapshot, node: ResolvedNode) -> Head:
    """The head node in the network that this node boots from."""
    interface = node.boot_interface
    networks = snapshot.site.networks
    network = networks[interface.network] if interface else next(iter(networks.values()))
    heads = interface.heads_in(network) if interface else network.heads
    url = http_url(heads[0], snapshot.site.ports.http)
    return Head(HEAD_NAME, network.domain, heads[0], url, network.dns or heads)


def context_for(snapshot: Snapshot, node: ResolvedNode, key: SiteKey) -> Context:
    """The variables of every overlay template for one node; for many nodes keep one `Surroundings`."""
    return Surroundings(snapshot, Identity(key)).context(node)
