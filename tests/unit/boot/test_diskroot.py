"""A root of kind disk on the kernel line."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from provisioner.boot.diskroot import disk_words, unfit
from provisioner.boot.policy import decide
from provisioner.model.boot import Boot, Machine, Refused
from provisioner.model.disk import Disk, FileSystem, Partition, Size
from provisioner.model.resolved import ResolvedNode, ResolvedRoot
from provisioner.model.written import RootKind
from tests.support import resolved

ROOT = "/dev/disk/by-partlabel/root"
TABLE = Disk(
    partitions={
        "root": Partition(number=1, size=Size("20GiB")),
        "swap": Partition(size=Size("4GiB"), type="swap"),
        "old": Partition(create=False),
    }
)


def node(device: str | None = ROOT, *, wipe: bool = False, **changes: Any) -> ResolvedNode:
    root = ResolvedRoot(kind=RootKind.DISK, device=device, wipe=wipe)
    return resolved.node(root=root, **{"disks": {"/dev/sda": TABLE}, **changes})


def words(node: ResolvedNode) -> list[str]:
    """All but the word for systemd."""
    first, *others = disk_words(node)
    assert first == "systemd.gpt_auto=0"
    return others


def test_the_table_of_the_disk_that_holds_the_root_goes_along_as_sfdisk_reads_it() -> None:
    assert words(node()) == [
        f"prov.device={ROOT}",
        "prov.format=ext4",
        "prov.disk=/dev/sda",
        "prov.partition=number=1,size=20GiB,type=linux,name=root",
        "prov.partition=size=4GiB,type=swap,name=swap",
    ]


@pytest.mark.parametrize(
    ("device", "disk"),
    [
        ("/dev/sda2", "/dev/sda"),
        ("/dev/nvme0n1p2", "/dev/nvme0n1"),
        ("/dev/disk/by-id/wwn-1-part2", "/dev/disk/by-id/wwn-1"),
        ("/dev/sdaa2", None),
        ("/dev/sdb", None),
        ("/dev/disk/by-partlabel/old", None),
        ("/dev/disk/by-partlabel/elsewhere", None),
    ],
)
def test_a_root_belongs_to_the_disk_whose_table_makes_it(device: str, disk: str | None) -> None:
    disks = dict.fromkeys(("/dev/sda", "/dev/nvme0n1", "/dev/disk/by-id/wwn-1"), TABLE)

    assert node(device, disks=disks).root_disk == disk


def test_a_root_on_a_disk_without_a_written_table_names_only_its_device() -> None:
    assert words(node("/dev/sdb", wipe=True)) == ["prov.device=/dev/sdb", "prov.format=ext4", "prov.wipe=1"]


@pytest.mark.parametrize(
    ("format_", "uuid_option"),
    [
        ("ext4", ["prov.mkfs=-U", f"prov.mkfs={UUID(int=7)}"]),
        ("xfs", ["prov.mkfs=-m", f"prov.mkfs=uuid={UUID(int=7)}"]),
    ],
)
def test_label_uuid_and_options_are_those_of_its_file_system(format_: str, uuid_option: list[str]) -> None:
    made = FileSystem(
        format=format_, label="here", uuid=UUID(int=7), options=("-q",), mount_options=("discard", "nodev")
    )

    assert words(node("/dev/sdb", filesystems={"/dev/sdb": made}))[1:] == [
        f"prov.format={format_}",
        "prov.mkfs=-L",
        "prov.mkfs=here",
        *uuid_option,
        "prov.mkfs=-q",
        "prov.mount=discard,nodev",
    ]


def test_other_kinds_of_root_add_nothing_and_always_fit() -> None:
    other = resolved.node(root=ResolvedRoot(device=ROOT), disks={"/dev/sda": TABLE})

    assert disk_words(other) == ()
    assert unfit(other) is None
    assert other.root_disk is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (node(None), "n001 has a root of kind disk, and no root.device says on which"),
        (
            node(filesystems={ROOT: FileSystem(format="btrfs")}),
            f"n001 has its root on {ROOT} with the format btrfs: it may be ext4 or xfs",
        ),
        (
            node(disks={"/dev/sda": Disk(partitions={"root": Partition(type="linux,name=x")})}),
            "the partition root of n001 has the type linux,name=x, which is no GUID and no name",
        ),
    ],
)
def test_a_root_that_cannot_be_made_is_refused_before_anything_boots(changed: ResolvedNode, reason: str) -> None:
    decision = decide(resolved.snapshot(changed), resolved.catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Refused)
    assert decision.reason == reason
    assert decision.hint.startswith("prov node ")


def test_a_root_that_can_be_made_boots() -> None:
    decision = decide(resolved.snapshot(node()), resolved.catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Boot)
