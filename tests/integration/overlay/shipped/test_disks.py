"""The disks of a node are partitioned and formatted for real, on loop devices, and once only."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.model.disk import Disk, FileSystem, Partition, Size
from provisioner.model.resolved import ResolvedRoot
from provisioner.model.written import RootKind
from tests.support.richnode import render, rich, unpack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("losetup", "mkfs.vfat", "mkfs.xfs", "partx", "sfdisk", "shellcheck", "wipefs"),
]


class Machine:
    """A blank disk of 700 MiB, and the folder of a node's root."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self.device = device
        # The kernel of a container host may read no GPT; then nobody but partx makes devices of partitions. It
        # does so where the script waits for udev.
        tools = folder / "tools"
        tools.mkdir()
        (tools / "udevadm").write_text(f"#!/bin/sh\npartx --delete {device}\npartx --add {device} || true\n")
        (tools / "udevadm").chmod(0o755)
        self.path = str(tools)

    def boot(
        self,
        partitions: dict[str, Partition],
        filesystems: dict[str, FileSystem] | None = None,
        *,
        wipe: bool = False,
    ) -> str:
        """What the script says at a boot of a node with these; file systems are named `p1`, `p2` and so on."""
        shutil.rmtree(self.folder / "tree", ignore_errors=True)
        (self.folder / "site").mkdir(exist_ok=True)
        devices = {f"{self.device}{part}": each for part, each in (filesystems or {}).items()}
        node = rich(disks={self.device: Disk(wipe=wipe, partitions=partitions)}, filesystems=devices)
        tree = unpack(render(self.folder / "site", "disks", node=node), self.folder / "tree")
        script = 'PATH=$1:$PATH; exec sh "$2" "$3"'
        plan = tree / "etc/provisioner/disks.plan"
        return run(["sh", "-c", script, "sh", self.path, tree / "usr/libexec/provisioner/disks", plan])

    def table(self) -> dict[str, tuple[int, str]]:
        """Number and size in MiB, by the name of each partition."""
        dump = run(["sfdisk", "--dump", self.device])
        found = re.findall(r"p(\d+) : start= *\d+, size= *(\d+),.*?name=\"(.*?)\"", dump)
        return {name: (int(number), f"{int(size) >> 11}MiB") for number, size, name in found}

    def probe(self, part: str, tag: str = "TYPE") -> str:
        """A tag of what is on a partition."""
        return run(["blkid", "--probe", "--output", "value", "--match-tag", tag, self.device + part]).strip()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    image = tmp_path / "disk.img"
    with image.open("wb") as stream:
        stream.truncate(700 << 20)
    device = run(["losetup", "--find", "--show", "--partscan", image]).strip()
    try:
        yield Machine(tmp_path, device)
    finally:
        run(["sh", "-c", 'partx --delete "$1"; losetup --detach "$1"', "sh", device])


TWO = {
    "swap": Partition(number=1, size=Size("64MiB"), type="swap"),
    "scratch": Partition(number=2, size=Size("100MiB")),
}


def test_a_blank_disk_gets_partitions_and_file_systems(machine: Machine) -> None:
    machine.boot(
        TWO,
        {"p1": FileSystem(format="swap"), "p2": FileSystem(format="ext4", label="scratch", options=("-m", "0"))},
    )

    assert machine.table() == {"swap": (1, "64MiB"), "scratch": (2, "100MiB")}
    assert (machine.probe("p1"), machine.probe("p2")) == ("swap", "ext4")
    assert machine.probe("p2", "LABEL") == "scratch"


def test_a_second_boot_changes_nothing(machine: Machine) -> None:
    wanted = {"p1": FileSystem(format="swap"), "p2": FileSystem(format="ext4")}
    machine.boot(TWO, wanted)
    before = (run(["sfdisk", "--dump", machine.device]), machine.probe("p1", "UUID"), machine.probe("p2", "UUID"))

    said = machine.boot(TWO, wanted)

    after = (run(["sfdisk", "--dump", machine.device]), machine.probe("p1", "UUID"), machine.probe("p2", "UUID"))
    assert after == before
    assert "new" not in said


def test_with_wipe_table_and_file_systems_are_made_anew(machine: Machine) -> None:
    wanted = {"p2": FileSystem(format="ext4", wipe=True)}
    machine.boot(TWO, wanted)
    before = machine.probe("p2", "UUID")
    other = {"only": Partition(number=2, size=Size("80MiB"))}

    machine.boot(other, wanted, wipe=True)

    assert machine.table() == {"only": (2, "80MiB")}
    assert machine.probe("p2", "UUID") != before


def test_a_missing_partition_is_added_and_the_others_keep_their_data(machine: Machine) -> None:
    machine.boot({"scratch": TWO["scratch"]}, {"p2": FileSystem(format="ext4")})
    before = machine.probe("p2", "UUID")

    machine.boot(TWO, {"p1": FileSystem(format="swap"), "p2": FileSystem(format="ext4")})

    assert machine.table() == {"swap": (1, "64MiB"), "scratch": (2, "100MiB")}
    assert (machine.probe("p1"), machine.probe("p2", "UUID")) == ("swap", before)


def test_a_partition_that_is_not_to_be_created_is_not(machine: Machine) -> None:
    machine.boot({**TWO, "old": Partition(create=False, wipe=True)})

    assert set(machine.table()) == {"swap", "scratch"}


def test_a_partition_grows_when_it_may_and_never_shrinks(machine: Machine) -> None:
    def scratch(size: str, *, resize: bool) -> dict[str, Partition]:
        return {"scratch": Partition(number=2, size=Size(size), resize=resize)}

    machine.boot(scratch("100MiB", resize=False))
    machine.boot(scratch("120MiB", resize=False))
    assert machine.table() == {"scratch": (2, "100MiB")}
    machine.boot(scratch("120MiB", resize=True))
    machine.boot(scratch("50MiB", resize=True))
    assert machine.table() == {"scratch": (2, "120MiB")}


def test_a_wiped_partition_gets_a_new_file_system_in_the_same_place(machine: Machine) -> None:
    machine.boot(TWO, {"p2": FileSystem(format="ext4")})
    before = machine.probe("p2", "UUID")

    machine.boot(
        {**TWO, "scratch": TWO["scratch"].model_copy(update={"wipe": True})}, {"p2": FileSystem(format="ext4")}
    )

    assert machine.probe("p2", "UUID") != before


def test_a_file_system_of_another_kind_is_not_touched_and_the_boot_says_so(machine: Machine) -> None:
    machine.boot(TWO, {"p2": FileSystem(format="ext4")})
    before = machine.probe("p2", "UUID")

    with pytest.raises(CommandError) as caught:
        machine.boot(TWO, {"p2": FileSystem(format="vfat")})

    assert "holds ext4 and not vfat: set wipe" in caught.value.output
    assert machine.probe("p2", "UUID") == before


def test_a_disk_that_is_a_file_system_as_a_whole_is_not_partitioned(machine: Machine) -> None:
    run(["mkfs.ext4", "-q", machine.device])

    with pytest.raises(CommandError) as caught:
        machine.boot(TWO)

    assert "holds ext4 and no GPT: set wipe" in caught.value.output
    assert machine.probe("") == "ext4"


@pytest.mark.parametrize(
    ("kind", "size", "options"), [("xfs", "320MiB", ()), ("vfat", "40MiB", ("-F", "32")), ("ext3", "40MiB", ())]
)
def test_each_kind_of_file_system_is_made_with_its_label(
    machine: Machine, kind: str, size: str, options: tuple[str, ...]
) -> None:
    machine.boot(
        {"x": Partition(number=1, size=Size(size))},
        {"p1": FileSystem(format=kind, label="LABEL", options=options)},
    )

    assert (machine.probe("p1"), machine.probe("p1", "LABEL")) == (kind, "LABEL")


def test_the_script_is_clean_posix_shell(machine: Machine) -> None:
    machine.boot(TWO)

    run(["shellcheck", "--shell", "sh", machine.folder / "tree/usr/libexec/provisioner/disks"])


def test_a_root_on_a_disk_is_left_to_stage_1_with_the_table_that_holds_it(tmp_path: Path) -> None:
    partlabel = "/dev/disk/by-partlabel"
    node = rich(
        root=ResolvedRoot(kind=RootKind.DISK, device=f"{partlabel}/root"),
        disks={
            "/dev/sda": Disk(
                wipe=True,
                partitions={
                    "root": Partition(wipe=True),
                    "swap": Partition(type="swap"),
                    "data": Partition(resize=True, size=Size("1GiB")),
                },
            ),
            "/dev/sdb": Disk(partitions={"more": Partition()}),
        },
        filesystems={
            f"{partlabel}/root": FileSystem(format="ext4", wipe=True),
            f"{partlabel}/swap": FileSystem(format="swap"),
        },
    )
    (tmp_path / "site").mkdir()
    tree = unpack(render(tmp_path / "site", "disks", node=node), tmp_path / "tree")
    plan = (tree / "etc/provisioner/disks.plan").read_text()

    words = [line.split() for line in plan.splitlines()]
    assert [line[1] for line in words if line[0] == "table"] == ["/dev/sdb"]
    assert [line[1:3] for line in words if line[0] == "partition"] == [["/dev/sda", "data"], ["/dev/sdb", "more"]]
    assert [line[1] for line in words if line[0] == "filesystem"] == [f"{partlabel}/swap"]
