"""A small resolved site, built by hand for tests of everything above the registry."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, IPv6Network

from provisioner.model.address import MacAddress
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Artifact, Generation, Origin
from provisioner.model.resolved import ResolvedInterface, ResolvedNode, ResolvedRoot, Source
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Dhcp6Mode, DhcpMode, Network, Site, Ssh

REVISION = "ab" * 32
MAC1 = MacAddress("52:54:00:00:00:01")
MAC2 = MacAddress("52:54:00:00:00:02")


def generation(number: int = 1, *, image: str = "debian-12", tree: str = "sha256:" + "4" * 64) -> Generation:
    """A generation whose artifacts have made-up digests."""
    return Generation(
        image=image,
        number=number,
        created=1_700_000_000.0,
        architecture="x86_64",
        os_name="Debian GNU/Linux 12",
        os_id="debian",
        os_version="12",
        kernel_release="6.1.0-1-cloud-amd64",
        kernel=Artifact(digest="sha256:" + "1" * 64, size=14),
        stage1=Artifact(digest="sha256:" + "2" * 64, size=19),
        root=Artifact(digest="sha256:" + "3" * 64, size=74),
        tree=tree,
        tree_size=300,
        entries=10,
        origin=Origin(kind="recipe", reference="debian-12"),
    )


def catalogue(*numbers: int) -> Catalogue:
    """debian-12 with some generations, the last one current."""
    generations = {number: generation(number) for number in (numbers or (1,))}
    return Catalogue({"debian-12": generations}, {"debian-12": max(generations)})


def interface(mac: MacAddress | None, host: int, *, name: str = "eth0") -> ResolvedInterface:
    """An interface in 10.0.0.0/16."""
    return ResolvedInterface(
        name=name,
        network="provision",
        mac=mac,
        ip=IPv4Interface(f"10.0.1.{host}/16"),
        ip6=IPv6Interface(f"fd00::{host}/64"),
    )


def node(name: str = "n001", *, mac: MacAddress | None = MAC1, host: int = 1, **changes: object) -> ResolvedNode:
    """A node with one interface."""
    base = ResolvedNode(
        name=name,
        domain="cluster.local",
        groups=("compute",),
        image="debian-12",
        root=ResolvedRoot(),
        system_overlays=("hostname",),
        runtime_overlays=(),
        kernel_args=("console=ttyS0",),
        script="boot",
        tags={"rack": "r1"},
        interfaces=(interface(mac, host),),
        primary="eth0",
        provenance={"image": (Source(file="groups.d/compute.yaml", line=3, entry="group compute"),)},
    )
    return base.model_copy(update=changes)


def site(**changes: object) -> Site:
    """One network, one admin key."""
    base = Site(
        cluster="demo",
        networks={"provision": Network(cidr=IPv4Network("10.0.0.0/16"), server=IPv4Address("10.0.0.1"))},
        ssh=Ssh(admin_keys=("ssh-ed25519 AAAA admin",)),
    )
    return base.model_copy(update=changes)


def snapshot(*nodes: ResolvedNode, revision: str = REVISION) -> Snapshot:
    """A snapshot of some nodes, n001 and n002 by default."""
    return Snapshot.build(revision, site(), nodes or (node(), node("n002", mac=MAC2, host=2)))


def node6(name: str = "n001", *, mac: MacAddress = MAC1, host: int = 11) -> ResolvedNode:
    """A node that has an IPv6 address alone."""
    return node(name, interfaces=(interface(mac, host).model_copy(update={"ip": None}),))


def network6(**changes: object) -> Network:
    """A network where addresses are given out over IPv6 alone; the head node is fd00::1 there."""
    base = Network(
        cidr=IPv4Network("10.0.0.0/16"),
        cidr6=IPv6Network("fd00::/64"),
        dhcp=DhcpMode.OFF,
        dhcp6=Dhcp6Mode.AUTHORITATIVE,
    )
    return base.model_copy(update=changes)


def snapshot6(*nodes: ResolvedNode, **changes: object) -> Snapshot:
    """A snapshot of nodes in that network, n001 by default."""
    return Snapshot.build(REVISION, site(networks={"provision": network6(**changes)}), nodes or (node6(),))
