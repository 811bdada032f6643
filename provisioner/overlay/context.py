"""What templates see: the node, all nodes, the site, the head node, the node's SSH keys."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from uuid import UUID

from provisioner.model.address import Address
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.render.escape import Multiline
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
    """The node's own host key, as texts."""

    host_private_key: Multiline
    host_public_key: str


def head_for(snapshot: Snapshot, node: ResolvedNode) -> Head:
    """The head node in the network that this node boots from."""
    interface = node.boot_interface
    networks = snapshot.site.networks
    network = networks[interface.network] if interface else next(iter(networks.values()))
    url = f"http://{network.head}:{snapshot.site.ports.http}"
    return Head(HEAD_NAME, network.domain, network.head, url, network.dns or (network.head,))


def machine_id(key: SiteKey, node: ResolvedNode) -> str:
    """The machine id of a node (machine-id(5)): derived, in the form of a version 4 UUID, equal on every head."""
    return UUID(bytes=key.derive("machine-id", node.name)[:16], version=4).hex


def context_for(snapshot: Snapshot, node: ResolvedNode, key: SiteKey) -> dict[str, object]:
    """The variables of every overlay template for one node."""
    pair = host_key(key, node.name)
    return {
        "node": node,
        "nodes": [snapshot.nodes[name] for name in sorted(snapshot.nodes)],
        "site": snapshot.site,
        "cluster": snapshot.site.cluster,
        "head": head_for(snapshot, node),
        "machine_id": machine_id(key, node),
        "ssh": SshKeys(Multiline(pair.private), pair.public),
    }
