"""What each network overlay makes for a node that has the whole matrix at once, and for some that are special."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.archive.tree import Entry, Kind
from provisioner.model.device import Bond, BondMode, DeviceType
from provisioner.overlay.manifest import MANIFEST
from provisioner.overlay.source import Overlay
from provisioner.render.environment import RenderError
from tests.support import netmatrix, overlays
from tests.support.golden import Golden
from tests.support.netmatrix import BACKENDS, BONDS, INFINIBAND, NICS, OVERLAYS, VLANS, device

# netplan cannot make a partition of InfiniBand.
WITH_INFINIBAND = tuple(name for name in BACKENDS if name != "netplan")
TAKEOVER = device("bond0", type=DeviceType.BOND, bond=Bond(members=("eth0", "eth1"), mode=BondMode.ACTIVE_BACKUP))


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_makes_these_files_of_the_whole_matrix(name: str, tmp_path: Path, golden: Golden) -> None:
    entries = netmatrix.render(tmp_path, name, node=netmatrix.node())

    golden(f"overlays/matrix/{name}.txt", "".join(map(_shown, entries)))


@pytest.mark.parametrize("name", WITH_INFINIBAND)
def test_an_overlay_makes_these_files_of_infiniband(name: str, tmp_path: Path, golden: Golden) -> None:
    entries = netmatrix.render(tmp_path, name, node=netmatrix.node(NICS[0], *INFINIBAND))

    golden(f"overlays/infiniband/{name}.txt", "".join(_shown(each) for each in entries if "eth0" not in each.path))


@pytest.mark.parametrize("name", BACKENDS)
def test_an_overlay_makes_these_files_of_a_bond_that_takes_over_from_the_boot_device(
    name: str, tmp_path: Path, golden: Golden
) -> None:
    entries = netmatrix.render(tmp_path, name, node=netmatrix.node(*NICS[:2], TAKEOVER))

    golden(f"overlays/takeover/{name}.txt", "".join(map(_shown, entries)))


@pytest.mark.parametrize("name", ["networkd", "networkmanager", "netplan", "ifcfg", "wicked"])
def test_no_file_is_made_for_a_device_of_a_machine_that_nobody_has_seen(name: str, tmp_path: Path) -> None:
    unseen = netmatrix.node(NICS[0].model_copy(update={"mac": None}))

    assert not [each for each in netmatrix.render(tmp_path, name, node=unseen) if "eth0" in each.path]


def test_keyfiles_are_for_root_alone_and_networkmanager_reads_no_others(tmp_path: Path) -> None:
    entries = netmatrix.render(tmp_path, "networkmanager", node=netmatrix.node())

    made = [each for each in entries if each.path.startswith("etc/NetworkManager/system-connections/")]
    assert len(made) == 12
    assert {(each.mode, each.uid, each.gid) for each in made} == {(0o600, 0, 0)}


def test_netplan_says_that_it_cannot_make_a_partition_of_infiniband(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"ib0\.8001 is a partition of InfiniBand, which netplan cannot make"):
        netmatrix.render(tmp_path, "netplan", node=netmatrix.node(NICS[0], *INFINIBAND))


def test_netplan_has_two_renderers_and_no_other(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"tags\.netplan is wicked"):
        netmatrix.render(tmp_path, "netplan", node=netmatrix.node(tags={"netplan": "wicked"}))


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_network_overlay_says_what_it_is_for(name: str, tmp_path: Path) -> None:
    assert Overlay(overlays.shipped(tmp_path), name).declared.description.endswith(".")


@pytest.mark.parametrize("name", ["network", "resolv"])
def test_networkmanager_leaves_the_file_of_the_overlay_resolv_alone(name: str, tmp_path: Path) -> None:
    path = "etc/NetworkManager/conf.d/10-provisioner.conf"
    made = [
        netmatrix.texts(netmatrix.render(tmp_path, "networkmanager", node=netmatrix.node(**changes)))[path]
        for changes in ({"system_overlays": (name,)}, {"runtime_overlays": (name,)}, {"system_overlays": ()})
    ]

    assert ["dns=none" in text for text in made] == [True, True, False]


def test_two_backends_never_make_the_same_file_but_for_the_names_of_devices(tmp_path: Path) -> None:
    node = netmatrix.node(*NICS, *BONDS, *VLANS)
    # What they take away is in one file that says so of all overlays.
    names = {MANIFEST, *(each.path for each in netmatrix.render(tmp_path, "netname", node=node))}
    made = [{each.path for each in netmatrix.render(tmp_path, name, node=node)} - names for name in BACKENDS]

    # Both enterprise systems keep ifcfg files, in different folders; systemd's own go to one.
    assert sum(map(len, made)) == len(set().union(*made))


def _shown(entry: Entry) -> str:
    head = f"==== {entry.path} {entry.kind.name.lower()} {entry.mode:04o} {entry.uid}:{entry.gid}"
    text = entry.content.decode()
    return f"{head} -> {text}\n" if entry.kind is Kind.SYMLINK else f"{head}\n{text}"
