"""ifupdown reads the interfaces of a node, and brings up what this machine's kernel has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.lab.namespace import Namespace
from provisioner.model.resolved import ResolvedInterface
from provisioner.overlay.folder import write_tree
from tests.support import netmatrix, unpacked
from tests.support.daemon import eventually
from tests.support.netmatrix import BONDS, INFINIBAND, NICS, VLANS, cabled, set_up_by_stage_1

pytestmark = [pytest.mark.integration, pytest.mark.root]


@pytest.fixture
def machine() -> Iterator[Namespace]:
    """A namespace with six NICs and with ifupdown, as if it were installed."""
    with Namespace() as namespace:
        cabled(namespace)
        for folder in ("etc", "usr"):
            lower = f"lowerdir={unpacked.FOLDER / folder}:/{folder}"
            namespace.run(["mount", "-t", "overlay", "overlay", "-o", lower, f"/{folder}"])
        yield namespace


def command(machine: Namespace, folder: Path, *words: str, devices: tuple[ResolvedInterface, ...] = ()) -> str:
    """What a program of ifupdown prints with the file for a node, both outputs together."""
    entries = netmatrix.render(folder / "site", "ifupdown", node=netmatrix.node(*devices))
    write_tree(entries, folder / "tree")
    file = folder / "tree/etc/network/interfaces"
    program = unpacked.program("sbin/ifup").parent / words[0]
    # ifup and its scripts call each other by name.
    path = f"PATH={program.parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    arguments = [path, program.name, "--interfaces", str(file), *words[1:]]
    return machine.run(["sh", "-c", '"$@" 2>&1', "sh", "env", *arguments])


def test_ifquery_lists_every_device_but_the_members_of_bonds(machine: Namespace, tmp_path: Path) -> None:
    devices = (*NICS, *BONDS, *VLANS, *INFINIBAND)

    listed = command(machine, tmp_path, "ifquery", "--list", devices=devices).split()

    assert listed[:2] == ["lo", "eth0"]
    members = {f"eth{number}" for number in range(1, 5)}
    assert set(listed) == {"lo", *(each.name for each in devices)} - members - {"eth5"}


def test_ifquery_reads_the_settings_of_a_bond(machine: Namespace, tmp_path: Path) -> None:
    lines = command(machine, tmp_path, "ifquery", "bond0").splitlines()

    for line in (
        *("address: 10.9.0.1", "address: fd09::1", "bond-slaves: eth1 eth2", "bond-mode: 802.3ad"),
        *("bond-miimon: 200", "bond-updelay: 400", "bond-downdelay: 600", "bond-lacp-rate: fast"),
        *("bond-xmit-hash-policy: layer3+4", "dns-nameservers: 10.9.0.53"),
    ):
        assert line in lines


def test_ifup_would_bring_up_everything(machine: Namespace, tmp_path: Path) -> None:
    printed = command(machine, tmp_path, "ifup", "--no-act", "--verbose", "--all")

    assert "failed" not in printed
    made = printed.index("ip link add name bond0 type bond")
    assert made < printed.index("ip link set dev bond0 mtu 9000")
    for line in (
        "ip link add link bond0 name bond0.100 type vlan id 100",
        "ip link add link eth5 name storage6 type vlan id 300",
        "ip -4 route replace default via 10.200.0.254 dev bond1.200",
        "ip -6 route replace fd20::/48 via fd09::fe dev bond0 metric 60",
        "ip -4 route replace 10.21.0.0/16 via 10.99.0.1 dev bond0 onlink",
    ):
        assert line in printed


def test_the_address_that_stage_1_has_set_stays_while_ifupdown_takes_over(
    machine: Namespace, tmp_path: Path
) -> None:
    taken_away = set_up_by_stage_1(machine, tmp_path)
    storage = netmatrix.device("eth1", network="storage", mac=netmatrix.mac(1), ip="10.9.0.1/24", ip6="fd09::1/64")

    printed = command(machine, tmp_path, "ifup", "--verbose", "--all", devices=(NICS[0], storage))

    assert "failed" not in printed
    assert taken_away() == []
    addresses = machine.run(["ip", "-o", "address"])
    for address in ("10.0.1.1/16", "fd00::1/64", "10.9.0.1/24", "fd09::1/64"):
        assert addresses.count(f" {address} ") == 1
    assert machine.run(["ip", "route"]).count("default") == 1
    assert "default via fd00::fe dev eth0" in machine.run(["ip", "-6", "route"])
    assert machine.run(["cat", "/sys/class/net/eth1/mtu"]) == "1500\n"


def test_no_device_listens_to_routers_and_one_without_addresses_makes_none_of_its_own(
    machine: Namespace, tmp_path: Path
) -> None:
    storage = netmatrix.device("eth1", network="storage", mac=netmatrix.mac(1), ip="10.9.0.1/24")
    bare = netmatrix.device("eth2", network="storage", mac=netmatrix.mac(2))

    printed = command(machine, tmp_path, "ifup", "--verbose", "--all", devices=(NICS[0], storage, bare))

    assert "failed" not in printed
    for name in ("eth0", "eth1", "eth2"):
        assert machine.run(["cat", f"/proc/sys/net/ipv6/conf/{name}/accept_ra"]) == "0\n"
    # The kernel works that out a moment after it is set up.
    eventually(lambda: "state UP" in machine.run(["ip", "link", "show", "dev", "eth2"]))
    assert "inet6" not in machine.run(["ip", "address", "show", "dev", "eth2"])
