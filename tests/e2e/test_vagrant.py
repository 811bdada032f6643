"""`vagrant up && vagrant up node1 node2`, offline: the Vagrantfile brings a head node, and both nodes boot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.elshaped.images import image_store
from tests.support.headbox import head as headbox
from tests.support.headbox.box import box
from tests.support.realsite import prov, wait_until
from tests.support.vagrantrig import VagrantRig

pytestmark = [pytest.mark.e2e, pytest.mark.vagrant, pytest.mark.timeout(5400)]

NODES = ("node1", "node2")
FIRST, SECOND = "centos-7-compute", "rocky-9-compute"
_BOOT_SECONDS = 1500


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an offline head node gets: the product as a wheel and two el-shaped images as bundles."""
    folder = tmp_path_factory.mktemp("payload")
    site = image_store().parents[1]
    shutil.copy(headbox.wheel(folder / "wheel"), folder)
    shutil.rmtree(folder / "wheel")
    for image in (FIRST, SECOND):
        prov(site, "image", "export", image, str(folder / f"{image}.bundle"))
    return folder


@pytest.fixture(scope="module")
def rig(payload: Path) -> Iterator[VagrantRig]:
    """The cluster of the Vagrantfile with both nodes switched on, each command as docs/vagrant.md has it."""
    with VagrantRig(payload) as started:
        started.add_box(box())
        started.vagrant("up", "head")
        started.vagrant("up", *NODES)
        yield started
        started.vagrant("destroy", "--force")


def nodes(rig: VagrantRig) -> dict[str, dict[str, Any]]:
    """What the head node says of each."""
    told = json.loads(rig.shell("prov status --format json"))["nodes"]
    return {node["node"]: node for node in told}


def wait_for_boots(rig: VagrantRig, image: str) -> None:
    """Wait until both nodes run an image, or failed."""

    def ended() -> bool:
        found = [nodes(rig)[name] for name in NODES]
        ready = all(node["state"] == "ready" and (node["running"] or "").startswith(image) for node in found)
        return ready or any(node["state"] == "failed" for node in found)

    wait_until(ended, f"both nodes to run {image}", _BOOT_SECONDS)
    assert {name: nodes(rig)[name]["state"] for name in NODES} == dict.fromkeys(NODES, "ready")


def test_both_nodes_boot_one_by_bios_and_one_by_uefi(rig: VagrantRig) -> None:
    wait_for_boots(rig, FIRST)

    # The ROM of libvirt's network cards is iPXE for both, and says what it was started by.
    firmware = {name: rig.shell(f"prov events {name} --name dhcp.discover --format json") for name in NODES}
    assert '"bios"' in firmware["node1"]
    assert '"efi-x64"' in firmware["node2"]


def test_the_group_goes_to_the_other_image_and_back(rig: VagrantRig) -> None:
    for image in (SECOND, FIRST):
        rig.shell(f"prov group set compute --yes --image {image}")
        for name in NODES:
            rig.virsh("reset", f"{domain(rig, name)}")
        wait_for_boots(rig, image)


def test_the_head_node_can_be_provisioned_again_without_harm(rig: VagrantRig) -> None:
    before = rig.shell("prov history --format json")

    rig.vagrant("provision", "head")

    assert rig.shell("prov history --format json") == before
    assert rig.shell("systemctl is-active provisioner").strip() == "active"


def domain(rig: VagrantRig, name: str) -> str:
    """Vagrant puts the name of the folder before that of the machine."""
    return next(each for each in rig.virsh("list", "--name").split() if each.endswith(f"_{name}"))
