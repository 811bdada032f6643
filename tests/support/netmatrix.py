"""A node with six NICs that carries the whole matrix at once: bonds, VLANs on both, both families, routes, MTUs.

eth0 boots; eth1 and eth2 are a bond with LACP, eth3 and eth4 one with a spare; eth5 is plain and has a VLAN.
InfiniBand is apart (`INFINIBAND`), because no virtual machine has it.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Any

from provisioner.archive.tree import Entry, Kind
from provisioner.lab.namespace import Namespace
from provisioner.model.address import InfinibandAddress, MacAddress
from provisioner.model.device import Bond, BondMode, DeviceType, Infiniband, Route, Vlan
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network, Site
from provisioner.overlay.context import context_for
from provisioner.overlay.rendered import render_tree
from provisioner.render.environment import Renderer
from provisioner.trust.sitekey import SiteKey
from tests.support import overlays, resolved
from tests.support.daemon import eventually

BACKENDS = ("networkd", "networkmanager", "netplan", "ifupdown", "ifcfg", "wicked")
OVERLAYS = ("network", "netname", *BACKENDS)

SITE = Site(
    cluster="demo",
    networks={
        "provision": Network(
            cidr=IPv4Network("10.0.0.0/16"),
            cidr6=IPv6Network("fd00::/64"),
            gateway=IPv4Address("10.0.0.254"),
            gateway6=IPv6Address("fd00::fe"),
            dns=(IPv4Address("10.0.0.53"), IPv6Address("fd00::53")),
            search=("example.org",),
        ),
        "storage": Network(cidr=IPv4Network("10.9.0.0/24"), gateway=IPv4Address("10.9.0.254"), mtu=9000),
        "ipmi": Network(cidr=IPv4Network("10.8.0.0/24")),
    },
)


def mac(number: int) -> MacAddress:
    """The hardware address of NIC `eth<number>`."""
    return MacAddress(f"52:54:00:00:00:{number:02x}")


def device(name: str, **fields: Any) -> ResolvedInterface:
    """A network device; addresses as texts."""
    for key, make in (("ip", IPv4Interface), ("ip6", IPv6Interface)):
        if fields.get(key):
            fields[key] = make(fields[key])
    return ResolvedInterface(name=name, **{"network": "provision", **fields})


def vlan(name: str, parent: str, number: int, **fields: Any) -> ResolvedInterface:
    """A VLAN."""
    return device(name, type=DeviceType.VLAN, vlan=Vlan(id=number, parent=parent), **fields)


NICS = (
    device("eth0", mac=mac(0), ip="10.0.1.1/16", ip6="fd00::1/64", mtu=1500),
    *(device(f"eth{number}", network="storage", mac=mac(number)) for number in range(1, 5)),
    device(
        "eth5",
        network="ipmi",
        mac=mac(5),
        ip="10.8.0.1/24",
        onboot=False,
        routes=(Route(to=IPv4Network("10.7.0.0/16"), via=IPv4Address("10.8.0.254")),),
    ),
)
BONDS = (
    device(
        "bond0",
        network="storage",
        type=DeviceType.BOND,
        ip="10.9.0.1/24",
        ip6="fd09::1/64",
        mtu=9000,
        dns=(IPv4Address("10.9.0.53"),),
        search=("storage.example.org", "example.org"),
        routes=(
            Route(to=IPv4Network("10.20.0.0/16"), via=IPv4Address("10.9.0.254"), metric=50),
            Route(to=IPv6Network("fd20::/48"), via=IPv6Address("fd09::fe"), metric=60),
            Route(to=IPv4Network("10.21.0.0/16"), via=IPv4Address("10.99.0.1")),
        ),
        bond=Bond(
            members=("eth1", "eth2"),
            mode=BondMode.LACP,
            miimon=200,
            updelay=400,
            downdelay=600,
            lacp_rate="fast",
            xmit_hash_policy="layer3+4",
        ),
    ),
    device(
        "bond1",
        network="storage",
        type=DeviceType.BOND,
        mac=MacAddress("52:54:00:00:01:01"),
        bond=Bond(members=("eth3", "eth4"), mode=BondMode.ACTIVE_BACKUP),
    ),
)
# A bond of each mode with every setting that some mode knows, and one with each hash policy.
MODES = (
    *(
        device(
            f"mode{number}",
            type=DeviceType.BOND,
            bond=Bond(mode=mode, updelay=100, downdelay=100, lacp_rate="slow", xmit_hash_policy="layer2"),
        )
        for number, mode in enumerate(BondMode)
    ),
    *(
        device(f"hash{number}", type=DeviceType.BOND, bond=Bond(mode=BondMode.LACP, xmit_hash_policy=policy))
        for number, policy in enumerate(("layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"))
    ),
)
VLANS = (
    vlan("bond0.100", "bond0", 100, ip="10.100.0.1/24", ip6="fd64::1/64", mtu=1500),
    vlan("bond1.200", "bond1", 200, ip="10.200.0.1/24", gateway=IPv4Address("10.200.0.254")),
    vlan("storage6", "eth5", 300, ip6="fd30::1/64", gateway6=IPv6Address("fe80::1")),
    vlan("boot.400", "eth0", 400, ip="10.40.0.1/24"),
)
INFINIBAND = (
    device(
        "ib0",
        network="storage",
        type=DeviceType.INFINIBAND,
        infiniband_address=InfinibandAddress("80000048fe80000000000000f4521403009a3cf1"),
        ip="10.9.1.1/24",
        mtu=65520,
        infiniband=Infiniband(mode="connected"),
    ),
    device(
        "ib0.8001",
        network="storage",
        type=DeviceType.INFINIBAND,
        ip="10.9.2.1/24",
        infiniband=Infiniband(mode="datagram", pkey="0x1"),
    ),
)


def node(*devices: ResolvedInterface, **changes: object) -> ResolvedNode:
    """n001 with some devices: the six NICs with everything on them without an argument."""
    base = resolved.node(interfaces=devices or (*NICS, *BONDS, *VLANS))
    return base.model_copy(update=changes)


def render(folder: Path, *names: str, node: ResolvedNode, site: Site = SITE) -> list[Entry]:
    """The tree of some shipped overlays for a node; the folder is that of a site without overlays."""
    snapshot = Snapshot.build(resolved.REVISION, site, (node,))
    context = context_for(snapshot, node, SiteKey(b"k" * 32))
    return render_tree(overlays.shipped(folder), names, context, Renderer())


def texts(entries: list[Entry]) -> dict[str, str]:
    """The contents of files, by path."""
    return {entry.path: entry.content.decode() for entry in entries if entry.kind is Kind.FILE}


def cabled(machine: Namespace) -> None:
    """The six NICs with a cable each, in a namespace with an empty /run."""
    for number in range(6):
        peer = ("type", "veth", "peer", "name", f"peer{number}")
        machine.run(["ip", "link", "add", f"eth{number}", "address", mac(number), *peer])
        machine.run(["ip", "link", "set", f"peer{number}", "up"])
    machine.run(["mount", "-t", "tmpfs", "tmpfs", "/run"])


def set_up_by_stage_1(machine: Namespace, folder: Path) -> Callable[[], list[str]]:
    """Give eth0 what stage 1 gives it; the result tells every time that an address of it was taken away."""
    machine.run(["ip", "link", "set", "eth0", "up"])
    machine.run(["ip", "address", "add", "10.0.1.1/16", "dev", "eth0"])
    machine.run(["ip", "route", "add", "default", "via", "10.0.0.254"])
    changes = folder / "changes"
    with changes.open("wb") as output:
        machine.spawn(["ip", "monitor", "address"], output=output, cwd=folder)

    def listens() -> bool:
        # Again and again: what happens before it listens is never told.
        machine.run(
            ["sh", "-c", "ip address del 192.0.2.1/32 dev lo 2> /dev/null; ip address add 192.0.2.1/32 dev lo"]
        )
        return "192.0.2.1" in changes.read_text()

    eventually(listens)

    def taken_away() -> list[str]:
        # What happened before this was told before this.
        machine.run(["ip", "address", "add", "192.0.2.2/32", "dev", "lo"])
        eventually(lambda: "192.0.2.2" in changes.read_text())
        return [line for line in changes.read_text().splitlines() if "Deleted" in line and "10.0.1.1" in line]

    return taken_away
