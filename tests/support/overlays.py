"""The overlays that ship, rendered for a node with two devices, IPv6 and a gateway."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from pathlib import Path

from provisioner.archive.tree import Entry
from provisioner.config.paths import Paths
from provisioner.model.address import MacAddress
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network, Site, Ssh
from provisioner.overlay.context import context_for
from provisioner.overlay.rendered import render_tree
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect
from provisioner.render.environment import Renderer
from provisioner.trust.sitekey import SiteKey
from tests.support import resolved

SHIPPED = ("agent", "hostname", "hosts", "network", "ssh")
STORAGE_MAC = MacAddress("52:54:00:00:01:01")


def shipped(folder: Path) -> WrittenFiles:
    """The overlays of a site in this folder, which has none of its own."""
    return WrittenFiles(collect(Paths.below(folder)))


def snapshot() -> Snapshot:
    """n001 with two devices, n002 with one, and n003 that nobody has seen yet."""
    networks = {
        "provision": Network(
            cidr=IPv4Network("10.0.0.0/16"),
            cidr6=IPv6Network("fd00::/64"),
            gateway=IPv4Address("10.0.0.254"),
            dns=(IPv4Address("10.0.0.53"), IPv4Address("10.0.0.54")),
        ),
        "storage": Network(cidr=IPv4Network("10.9.0.0/24"), gateway=IPv4Address("10.9.0.254")),
    }
    site = Site(
        cluster="demo",
        networks=networks,
        ssh=Ssh(admin_keys=("ssh-ed25519 AAAA first admin", "ssh-ed25519 BBBB second admin")),
    )
    unseen = resolved.node("n003", mac=None, host=3)
    nodes = (_two_devices(), resolved.node("n002", mac=resolved.MAC2, host=2), unseen)
    return Snapshot.build(resolved.REVISION, site, nodes)


def render(folder: Path, *names: str, node: str = "n001") -> list[Entry]:
    """The tree of some shipped overlays under a fixed site key; the folder is that of a site without any."""
    site = snapshot()
    context = context_for(site, site.nodes[node], SiteKey(b"k" * 32))
    return render_tree(shipped(folder), names, context, Renderer())


def _two_devices() -> ResolvedNode:
    booting = ResolvedInterface(
        name="eth0",
        network="provision",
        mac=resolved.MAC1,
        ip=IPv4Interface("10.0.1.1/16"),
        ip6=IPv6Interface("fd00::1/64"),
    )
    storage = ResolvedInterface(name="ib0", network="storage", mac=STORAGE_MAC, ip=IPv4Interface("10.9.0.1/24"))
    return resolved.node(interfaces=(booting, storage))
