"""netplan makes of our file what we make ourselves: its files for systemd-networkd say the same as ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.lab.namespace import Namespace
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.overlay.folder import write_tree
from tests.support import netmatrix, unpacked
from tests.support.daemon import eventually
from tests.support.netmatrix import MODES, NICS, cabled, set_up_by_stage_1

pytestmark = pytest.mark.integration

Facts = dict[str, set[str]]

# Several spellings of one thing, and what only one side says without a difference for a device of ours.
_SAME = {
    "MIIMonitorSec": lambda value: value.removesuffix("ms"),
    "UpDelaySec": lambda value: value.removesuffix("ms"),
    "DownDelaySec": lambda value: value.removesuffix("ms"),
}
_COMPARED = {
    *("Address", "DNS", "Domains", "VLAN", "Bond", "MTUBytes", "KeepConfiguration", "IPv6AcceptRA"),
    *("ActivationPolicy", "Kind", "Id", "Mode", "LACPTransmitRate", "TransmitHashPolicy", *_SAME),
}


def generated(folder: Path, node: ResolvedNode) -> Path:
    """A tree with our netplan file and with what netplan makes of it."""
    tree = folder / "netplan"
    write_tree(netmatrix.render(folder / "site", "netplan", node=node), tree)
    generate = unpacked.program("usr/libexec/netplan/generate")
    printed = run(
        ["sh", "-c", '"$@" 2>&1', "sh", generate, "--root-dir", tree], environment=unpacked.environment()
    )
    # What is left to complain about is that this machine's networkd is not there to be told.
    assert "rror" not in printed, printed
    return tree


def facts(files: Iterable[Path], devices: set[str]) -> Mapping[str, Facts]:
    """What .network and .netdev files say about each device, by setting; routes as whole sections."""
    said: defaultdict[str, Facts] = defaultdict(lambda: defaultdict(set))
    for path in files:
        name = path.stem.removeprefix("10-").removeprefix("netplan-")
        assert name in devices, path
        for section in path.read_text().split("\n["):
            if section.startswith("[Match]"):
                continue
            _, *lines = section.strip().splitlines()
            pairs = [line.partition("=")[::2] for line in lines if "=" in line and not line.startswith("#")]
            if section.removeprefix("[").startswith("Route]"):
                said[name]["Route"].add(_route(dict(pairs)))
                continue
            for key, value in pairs:
                if key in _COMPARED and (value := _SAME.get(key, str)(value)):
                    said[name][key].add(value)
    return said


def _route(pairs: Mapping[str, str]) -> str:
    everywhere = "::/0" if ":" in pairs["Gateway"] else "0.0.0.0/0"
    to = pairs.get("Destination", everywhere)
    return f"{to} {pairs['Gateway']} {pairs.get('Metric')} {'GatewayOnLink' in pairs}"


@pytest.mark.parametrize("devices", [(), (NICS[0], *MODES)], ids=["matrix", "modes of bonds"])
def test_netplan_says_the_same_to_networkd_as_our_own_files(
    devices: tuple[ResolvedInterface, ...], tmp_path: Path
) -> None:
    node = netmatrix.node(*devices)
    names = {each.name for each in node.interfaces}
    ours = tmp_path / "networkd"
    write_tree(netmatrix.render(tmp_path / "site", "networkd", node=node), ours)

    tree = generated(tmp_path, node)
    own = tree / "etc/systemd/network/10-netplan-eth0.network.d/provisioner.conf"
    made = (tree / "run/systemd/network").glob("*.net*")
    theirs = facts([*made, own.rename(tmp_path / "10-netplan-eth0.network")], names)
    mine = facts((ours / "etc/systemd/network").glob("*.net*"), names)

    assert set(theirs) == set(mine) == names
    for name in names:
        for setting in {*theirs[name], *mine[name]}:
            assert theirs[name].get(setting) == mine[name].get(setting), f"{name}: {setting}"


def test_netplan_matches_and_names_devices_by_their_address(tmp_path: Path) -> None:
    links = (generated(tmp_path, netmatrix.node()) / "run/systemd/network").glob("*.link")

    texts = [path.read_text() for path in links]
    assert len(texts) == 6
    assert all("MACAddress=" in text and "Name=eth" in text for text in texts)


@pytest.mark.root
def test_the_address_that_stage_1_has_set_stays_while_netplan_takes_over(tmp_path: Path) -> None:
    tree = generated(tmp_path, netmatrix.node(NICS[0]))
    made = tree / "run/systemd/network/10-netplan-eth0.network"
    # A cable of this test has no address that is burnt in.
    made.write_text(made.read_text().replace("PermanentMACAddress", "MACAddress"))
    with Namespace() as machine:
        cabled(machine)
        taken_away = set_up_by_stage_1(machine, tmp_path)
        machine.run(["mkdir", "-p", "/etc/systemd/network", "/run/systemd"])
        machine.run(["mount", "--bind", tree / "etc/systemd/network", "/etc/systemd/network"])
        machine.run(["cp", "--recursive", tree / "run/systemd/network", "/run/systemd/network"])
        machine.run(["mount", "-o", "remount,ro", "/sys"])
        log = tmp_path / "networkd.log"
        words = ["env", "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=debug", "/lib/systemd/systemd-networkd"]
        with log.open("wb") as output:
            networkd = machine.spawn(words, output=output, cwd=tmp_path)
        eventually(lambda: "eth0: State changed: configuring -> configured" in log.read_text())
        networkd.end()

        addresses = machine.run(["ip", "-o", "address", "show", "dev", "eth0"])
        assert taken_away() == []
    assert " 10.0.1.1/16 " in addresses
    assert " fd00::1/64 " in addresses
    assert log.read_text().count("Configuring static address") < 10
    assert ".network.d/provisioner.conf:" not in log.read_text()


def test_netplan_makes_connections_for_networkmanager_where_the_tag_says_so(tmp_path: Path) -> None:
    tree = generated(tmp_path, netmatrix.node(*NICS, tags={"netplan": "NetworkManager"}))

    made = sorted(path.name for path in (tree / "run/NetworkManager/system-connections").iterdir())
    assert made == [f"netplan-eth{number}.nmconnection" for number in range(6)]
