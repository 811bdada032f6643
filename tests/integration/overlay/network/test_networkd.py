"""systemd-networkd and udev read what they get on a node that has the whole matrix.

The kernel of a build machine may have neither bonds nor VLANs, so what needs them is only read here; virtual
machines bring it up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Process
from provisioner.model.resolved import ResolvedInterface
from provisioner.overlay.folder import write_tree
from tests.support import netmatrix
from tests.support.daemon import eventually
from tests.support.netmatrix import BONDS, INFINIBAND, MODES, NICS, VLANS, cabled, set_up_by_stage_1

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("udevadm")]

NETWORKD = Path("/lib/systemd/systemd-networkd")


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with Namespace() as namespace:
        cabled(namespace)
        namespace.run(["mkdir", "-p", "/run/systemd/netif/links", "/run/systemd/netif/leases"])
        yield namespace


def start(machine: Namespace, folder: Path, *devices: ResolvedInterface) -> tuple[Process, Path]:
    """networkd with the files for a node, and its log."""
    write_tree(netmatrix.render(folder / "site", "networkd", node=netmatrix.node(*devices)), folder / "tree")
    machine.run(["mount", "--bind", folder / "tree/etc/systemd/network", "/etc/systemd/network"])
    # Without a writable /sys networkd waits for no udev, as in a container.
    machine.run(["mount", "-o", "remount,ro", "/sys"])
    log = folder / "networkd.log"
    words = ["env", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=debug", str(NETWORKD)]
    with log.open("wb") as output:
        return machine.spawn(words, output=output, cwd=folder), log


def test_networkd_understands_every_line_of_the_whole_matrix(machine: Namespace, tmp_path: Path) -> None:
    networkd, log = start(machine, tmp_path, *NICS, *BONDS, *VLANS, *INFINIBAND)
    eventually(lambda: "fd00::1/64" in machine.run(["ip", "-o", "address", "show", "dev", "eth0"]))
    eventually(lambda: "eth5: found matching network" in log.read_text())
    networkd.end()

    text = log.read_text()
    names = sorted(path.name for path in (tmp_path / "tree/etc/systemd/network").glob("*.net*"))
    assert len(names) == 6 + 2 * 6 + 1 + 2
    assert re.findall(r".*/10-[^ ]+\.(?:network|netdev|link):\d+:.*", text) == []
    # It makes no device of a file that it does not accept.
    for made in (*BONDS, *VLANS):
        assert f"{made.name}: " in text
    assert "eth5: found matching network '/etc/systemd/network/10-eth5.network'" in text


def test_networkd_understands_every_mode_of_a_bond(machine: Namespace, tmp_path: Path) -> None:
    networkd, log = start(machine, tmp_path, NICS[0], *MODES)
    eventually(lambda: "fd00::1/64" in machine.run(["ip", "-o", "address", "show", "dev", "eth0"]))
    networkd.end()

    text = log.read_text()
    assert all(f"{each.name}: " in text for each in MODES)
    assert re.findall(r".*\.(?:network|netdev):\d+:.*", text) == []


def test_the_address_that_stage_1_has_set_stays_while_networkd_takes_over(
    machine: Namespace, tmp_path: Path
) -> None:
    taken_away = set_up_by_stage_1(machine, tmp_path)

    networkd, log = start(machine, tmp_path, NICS[0], NICS[5])
    eventually(lambda: "eth0: State changed: configuring -> configured" in log.read_text())
    networkd.end()

    assert "default via 10.0.0.254 dev eth0" in machine.run(["ip", "route"])
    assert "default via fd00::fe dev eth0" in machine.run(["ip", "-6", "route"])
    assert taken_away() == []
    # With a broadcast address in its file, version 252 sets the same address 65,535 times and gives up.
    assert log.read_text().count("Configuring static address") < 10
    assert machine.run(["cat", "/sys/class/net/eth0/mtu"]) == "1500\n"


def test_a_device_made_of_a_nic_with_the_same_address_is_not_taken_for_it(
    machine: Namespace, tmp_path: Path
) -> None:
    # A bridge stands for the VLANs and bonds that this machine's kernel may not have.
    machine.run(["ip", "link", "add", "br9", "address", netmatrix.mac(0), "type", "bridge"])
    networkd, log = start(machine, tmp_path, NICS[0])
    eventually(lambda: "eth0: State changed: configuring -> configured" in log.read_text())
    networkd.end()

    command = "SYSTEMD_LOG_LEVEL=debug udevadm test-builtin net_setup_link /sys/class/net/br9 2>&1 || true"
    assert "br9: found matching network" not in log.read_text()
    assert "10-eth0.link" not in re.sub(r".*Parsed.*", "", machine.run(["sh", "-c", command]))
    assert "10.0.1.1" not in machine.run(["ip", "-o", "address", "show", "dev", "br9"])


@pytest.mark.parametrize("way", ["rules", "links"])
def test_udev_names_devices_by_their_address_with_either_kind_of_file(
    machine: Namespace, tmp_path: Path, way: str
) -> None:
    tree = tmp_path / "tree"
    write_tree(netmatrix.render(tmp_path / "site", "netname", node=netmatrix.node()), tree)
    folder = {"rules": "etc/udev/rules.d", "links": "etc/systemd/network"}[way]
    machine.run(["ip", "link", "set", "eth3", "name", "other"])
    machine.run(["mount", "--bind", tree / folder, f"/{folder}"])
    programs = {"rules": "udevadm test --action=add", "links": "udevadm test-builtin net_setup_link"}

    printed = machine.run(["sh", "-c", f"SYSTEMD_LOG_LEVEL=debug {programs[way]} /sys/class/net/other 2>&1"])

    if way == "rules":
        assert "70-provisioner-names.rules:4 NAME 'eth3'" in printed
    else:
        assert "ID_NET_NAME=eth3" in printed
    assert not re.search(r"70-provisioner-names.rules:\d+ (Invalid|Unknown|Failed)", printed)
    assert re.search(r"\.link:\d+:", printed) is None


def test_udev_understands_the_rules_for_infiniband(machine: Namespace, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    write_tree(netmatrix.render(tmp_path / "site", "networkd", node=netmatrix.node(*NICS, *INFINIBAND)), tree)
    machine.run(["mount", "--bind", tree / "etc/udev/rules.d", "/etc/udev/rules.d"])

    printed = machine.run(
        ["sh", "-c", "SYSTEMD_LOG_LEVEL=debug udevadm test --action=add /sys/class/net/eth0 2>&1"]
    )

    for name in ("70-provisioner-names.rules", "71-provisioner-infiniband.rules"):
        assert f"Reading rules file: /etc/udev/rules.d/{name}" in printed
        assert not re.search(rf"/etc/udev/rules.d/{name}:\d+ (Invalid|Unknown|Failed|The line)", printed)
