"""Kinds of roots, booted for real: what they take of a node's memory, and that nothing of the image is lost.

With the overlay root of test_boot every firmware and every kind that the product has is booted in the default run;
tests/long boots all of them with each other.
"""

from __future__ import annotations

import pytest

from provisioner.image.store import catalogue
from provisioner.lab.machine import MachineFirmware
from provisioner.model.boot import BootRecord
from provisioner.model.written import RootKind
from tests.support.realsite import RealSite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

# How much of the unpacked image a root takes: what the node writes comes on top.
UNPACKED = pytest.approx(1.0, abs=0.1)


def booted(site: RealSite, number: int, kind: RootKind, firmware: MachineFirmware) -> BootRecord:
    name = f"n{number:03}"
    site.prov("node", "set", name, "--yes", f"root.kind={kind}", "root.size=70%", "root.swap=zram")
    site.boot(number, firmware=firmware)
    return site.wait_for_boot(name)


@pytest.fixture(scope="module")
def tmpfs(cluster: RealSite) -> BootRecord:
    return booted(cluster, 1, RootKind.TMPFS, MachineFirmware.BIOS)


@pytest.fixture(scope="module")
def single(cluster: RealSite, tmpfs: BootRecord) -> BootRecord:
    """After the other has booted: two at a time would only wait for each other."""
    assert tmpfs.state == "ready"
    return booted(cluster, 2, RootKind.SINGLE, MachineFirmware.UEFI)


def part_of_tree(site: RealSite, node: str) -> float:
    generation = catalogue(site.paths).find("debian-12")
    assert generation is not None
    return (int(site.status(node)["facts"]["root_memory"]) << 10) / generation.tree_size


def test_a_root_that_is_unpacked_in_memory_is_whole(cluster: RealSite, tmpfs: BootRecord) -> None:
    assert (tmpfs.state, tmpfs.reason) == ("ready", "")
    assert cluster.shell(1, "findmnt -n -o SOURCE,FSTYPE /") == "provisioner-root tmpfs\n"
    assert "cap_net_raw=ep" in cluster.shell(1, "getcap /usr/bin/ping")
    assert cluster.shell(1, "ls /run/provisioner/lower; losetup --list") == ""
    assert part_of_tree(cluster, "n001") == UNPACKED


def test_its_size_and_swap_are_what_is_written(cluster: RealSite, tmpfs: BootRecord) -> None:
    total, size = map(
        int, cluster.shell(1, "free -k | awk '/Mem/ {print $2}'; df -k --output=size / | tail -1").split()
    )
    assert size == pytest.approx(total * 0.7, rel=0.01)
    assert "/dev/zram0" in cluster.shell(1, "swapon --show --noheadings")


def test_an_image_that_is_its_own_initramfs_is_whole(cluster: RealSite, single: BootRecord) -> None:
    assert (single.state, single.reason) == ("ready", "")
    assert cluster.shell(2, "findmnt -n -o FSTYPE /") == "rootfs\n"
    assert cluster.shell(2, "stat -c '%a %U' /") == "755 root\n"
    assert "cap_net_raw=ep" in cluster.shell(2, "getcap /usr/bin/ping")
    assert cluster.shell(2, "ls -d /init /.provisioner 2> /dev/null || true") == ""
    assert part_of_tree(cluster, "n002") == UNPACKED


def test_it_has_its_overlays_its_name_and_its_device(cluster: RealSite, single: BootRecord) -> None:
    assert cluster.shell(2, "cat /etc/motd") == "first gpu n002\n"
    assert "inet 10.77.1.2/16" in cluster.shell(2, "ip -4 address show dev eth0")
    assert "/dev/zram0" in cluster.shell(2, "swapon --show --noheadings")


def test_no_token_is_on_its_kernel_line_and_only_root_reads_the_one_that_it_has(
    cluster: RealSite, single: BootRecord
) -> None:
    assert "token" not in cluster.shell(2, "cat /proc/cmdline")
    assert cluster.shell(2, "stat -c '%a %U' /run/provisioner/token") == "600 root\n"


def test_its_timeline_has_no_stage_1(cluster: RealSite, single: BootRecord) -> None:
    names = cluster.event_names("n002")

    assert names[names.index("script.boot") : names.index("ready") + 1] == [
        *("script.boot", "kernel.sent", "archive.sent", "overlay.sent", "system.report", "ready")
    ]


def test_the_script_is_closed_by_the_first_word_of_the_system(cluster: RealSite, single: BootRecord) -> None:
    assert single.stage.value == "system"


def test_a_machine_that_told_of_too_little_memory_is_refused_a_larger_root(
    cluster: RealSite, tmpfs: BootRecord
) -> None:
    with pytest.raises(AssertionError) as refused:
        cluster.prov("node", "set", "n001", "--yes", "root.size=100MiB")

    assert "n001 may take 100 MiB (root.size 100MiB)" in str(refused.value)
