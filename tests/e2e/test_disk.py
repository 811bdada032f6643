"""A root on a disk, installed by one boot and found by the next; and machines that boot their own disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.lab.machine import MachineFirmware
from provisioner.model.boot import BootRecord
from provisioner.operations.boots import Timeline, timeline
from tests.support.localdisk import SAID, bios_disk, efi_disk
from tests.support.realsite import BOOT_SECONDS, RealSite

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.needs("mcopy", "mkfs.ext4", "mkfs.vfat", "sfdisk"),
]

GROUP = """\
groups:
  installed:
    groups: [compute]
    root: {kind: disk, device: /dev/disk/by-partlabel/root}
    overlays: {system: [disks, mounts]}
    disks:
      /dev/vda:
        partitions:
          root: {number: 1, size: 2GiB}
          swap: {number: 2, size: 256MiB, type: swap}
          scratch: {number: 3}
    filesystems:
      /dev/disk/by-partlabel/root: {label: node-root}
      /dev/disk/by-partlabel/swap: {format: swap}
      /dev/disk/by-partlabel/scratch: {format: ext4, path: /scratch}
"""


@dataclass(frozen=True)
class Twice:
    """n001 booted from an empty disk, and then once more: what each boot told, and how the first one looked."""

    site: RealSite
    boots: tuple[BootRecord, BootRecord]
    told: tuple[Timeline, Timeline]
    mounts: str
    console: str


@pytest.fixture(scope="module")
def site(cluster: RealSite) -> RealSite:
    (cluster.root / "groups.d/installed.yaml").write_text(GROUP)
    cluster.prov("node", "set", "n001,n003", "--yes", "--group", "installed")
    cluster.prov("node", "set", "n004,n005", "--yes", "boot.source=disk")
    return cluster


@pytest.fixture(scope="module")
def twice(site: RealSite) -> Twice:
    disk = empty_disk(site.root / "n001.disk")
    machine = site.boot(1, drives=[disk])
    first = site.wait_for_boot("n001")
    told = timeline(site.paths, "n001")
    found = "findmnt --noheadings --list --output SOURCE,TARGET,FSTYPE --target"
    mounts = site.shell(1, f"{found} /; {found} /scratch; cat /proc/swaps")
    site.shell(1, "echo mine > /scratch/mine; echo mine > /root/mine; echo by hand > /etc/motd; sync")
    console = machine.serial.path.read_text(errors="replace")
    # No clean shutdown: the journal of the file system is what the next boot meets.
    machine.power_off()
    site.write_motd("second")
    site.boot(1, drives=[disk])
    second = site.wait_for_boot("n001", after=first.id)
    return Twice(site, (first, second), (told, timeline(site.paths, "n001")), mounts, console)


def empty_disk(path: Path) -> Path:
    """A disk of 4 GiB that takes no room."""
    with path.open("wb") as stream:
        stream.truncate(4 << 30)
    return path


def names(told: Timeline) -> list[str]:
    return [step.name for step in told.steps]


def test_both_boots_get_ready(twice: Twice) -> None:
    assert [(boot.state, boot.reason) for boot in twice.boots] == [("ready", ""), ("ready", "")]


def test_the_first_boot_prepares_the_disk_and_installs_the_root_on_it(twice: Twice) -> None:
    found = names(twice.told[0])

    order = ["disk.prepared", "root.sent", "image.verified", "disk.installed", "overlay.applied"]
    assert [name for name in found if name in order] == order
    installed = next(step for step in twice.told[0].steps if step.name == "disk.installed")
    assert (installed.bytes or 0) > 1_000_000
    assert installed.took is not None
    for words in ("disk: a new partition table on /dev/vda", "on /dev/vda1, which holds nothing yet"):
        assert words in twice.console


def test_the_second_boot_finds_the_root_and_fetches_no_image(twice: Twice) -> None:
    found = names(twice.told[1])

    assert "disk.reused" in found
    assert not {"root.sent", "image.verified", "disk.installed", "disk.prepared"} & set(found)


def test_root_scratch_and_swap_are_on_the_disk_and_no_image_is_in_memory(twice: Twice) -> None:
    lines = [line.split() for line in twice.mounts.splitlines()]

    assert lines[:2] == [["/dev/vda1", "/", "ext4"], ["/dev/vda3", "/scratch", "ext4"]]
    assert lines[-1][0] == "/dev/vda2"
    assert twice.site.shell(1, "grep -c squashfs /proc/mounts || true") == "0\n"
    assert twice.site.shell(1, "ls /run/provisioner/image 2>&1 || true").endswith("No such file or directory\n")


def test_what_a_node_wrote_is_there_but_files_of_overlays_follow_what_is_written(twice: Twice) -> None:
    assert twice.site.shell(1, "cat /scratch/mine /root/mine") == "mine\nmine\n"
    assert twice.site.shell(1, "cat /etc/motd") == "second plain n001\n"


def test_files_have_the_capabilities_and_modes_of_the_image(twice: Twice) -> None:
    assert "cap_net_raw" in twice.site.shell(1, "/usr/sbin/getcap /usr/bin/ping")
    assert twice.site.shell(1, "stat -c %a /tmp /root /.provisioner-root") == "1777\n700\n700\n"


def test_a_disk_with_data_of_somebody_else_is_left_alone_and_the_status_says_why(site: RealSite) -> None:
    disk = empty_disk(site.root / "n003.disk")
    run(["mkfs.ext4", "-q", "-F", "-L", "THEIRS", disk])
    before = run(["sha256sum", disk])

    with site.boot(3, drives=[disk]) as machine:
        machine.wait_for("FAILED: the disk /dev/vda holds ext4 .THEIRS. and stays as it is", BOOT_SECONDS)
        boot = site.wait_for_boot("n003")

    assert boot.state == "failed"
    assert 'the disk /dev/vda holds ext4 "THEIRS" and stays as it is' in site.status("n003")["reason"]
    assert run(["sha256sum", disk]) == before


@pytest.mark.parametrize(
    ("number", "firmware", "make"),
    [(4, MachineFirmware.BIOS, bios_disk), (5, MachineFirmware.UEFI, efi_disk)],
    ids=["bios", "uefi"],
)
def test_a_node_that_boots_its_own_disk_starts_what_is_installed_there(
    site: RealSite, number: int, firmware: MachineFirmware, make: object
) -> None:
    assert callable(make)
    disk = make(site.root / f"n{number:03}.disk")

    with site.boot(number, firmware=firmware, drives=[disk]) as machine:
        machine.wait_for(SAID, BOOT_SECONDS)

    status = site.status(f"n{number:03}")
    assert (status["state"], status["running"], status["outdated"]) == ("local", None, "")
    assert "script.local" in site.event_names(f"n{number:03}")
