"""A root of kind disk made by the very functions of stage 1, on loop devices, with real tools and file systems."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.config.paths import shipped_data
from provisioner.errors import CommandError
from provisioner.host.run import run

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.timeout(300),
    pytest.mark.needs(
        *(
            "dash",
            "debugfs",
            "e2fsck",
            "losetup",
            "mkfs.ext4",
            "mkfs.vfat",
            "mkfs.xfs",
            "mksquashfs",
            "partx",
            "sfdisk",
        ),
        *("shellcheck", "unshare", "wipefs"),
    ),
]

STAGE1 = shipped_data() / "images/stage1/90provisioner"
# What needs a kernel line, a console or a network, and nothing else. A fetch is a copy, which is counted.
STUBS = r"""
. "$STAGE1/stage1.sh"
WORK=$SCRATCH/work NEWROOT=$SCRATCH/root
mkdir -p "$WORK" "$NEWROOT"
getargs() { sed -n "s/^$1//p" "$SCRATCH/line"; }
argument() { getargs "prov.$1=" | tail -n 1; }
say() { echo "$*"; }
fail() { echo "FAILED: $*" >&2; kill $$; exit 1; }
report() { echo "$*" >> "$SCRATCH/reports"; }
sheet() { sed -n "s/^$1=//p" "$SCRATCH/sheet"; }
modprobe() { :; }
back_off() { :; }
udevadm() { partx --delete "$DISK" 2> /dev/null; partx --add "$DISK" 2> /dev/null || :; }
fetch_image() {
    ROOT_SIZE=$(sheet root_size)
    say "fetches $(sheet generation)"
    [ ! -e "$SCRATCH/cut" ] || kill -9 $$
    cp "$SCRATCH/image" "$1"
}
root_disk
echo "FOUND $(find "$NEWROOT" -xdev -type f ! -path '*lost+found*' | sort | sed "s|$NEWROOT||" | tr '\n' ' ')"
"""
PARTITIONS = (
    "number=1,size=200MiB,type=linux,name=root",
    "number=2,size=64MiB,type=swap,name=swap",
    "type=linux,name=scratch",
)


class Machine:
    """A blank disk of 700 MiB, and the scratch folder in which stage 1 works."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self.device = device
        self.image("demo@1", "one")

    def image(self, generation: str, text: str) -> None:
        """The image that the head node offers from now on: one file says this text."""
        tree = self.folder / "tree"
        (tree / "etc").mkdir(parents=True, exist_ok=True)
        (tree / "etc/text").write_text(text)
        (tree / "etc/text").chmod(0o640)
        os.chown(tree / "etc/text", 17, 18)
        (self.folder / "image").unlink(missing_ok=True)
        run(["mksquashfs", tree, self.folder / "image", "-quiet", "-no-progress"])
        size = (self.folder / "image").stat().st_size
        digest = run(["sha256sum", self.folder / "image"]).split()[0]
        lines = {"generation": generation, "root_size": size, "root_sha256": digest, "tree_size": 10, "boot": "b0"}
        (self.folder / "sheet").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))

    def boot(self, *more: str, partitions: tuple[str, ...] = PARTITIONS, format_: str = "ext4") -> str:
        """What stage 1 says of a root on the partition `root`. CommandError when it fails."""
        words = ["prov.device=/dev/disk/by-partlabel/root", f"prov.format={format_}", f"prov.disk={self.device}"]
        return self.boot_with(*words, *(f"prov.partition={each}" for each in partitions), *more)

    def boot_with(self, *words: str) -> str:
        """What stage 1 says with these words on the kernel line. CommandError when it fails."""
        (self.folder / "line").write_text("".join(f"{word}\n" for word in words))
        environment = {**os.environ, "STAGE1": str(STAGE1), "SCRATCH": str(self.folder)}
        # Mounts of stage 1 go with the shell.
        return run(["unshare", "--mount", "dash", "-c", STUBS], environment=environment, timeout=120)

    def refused(self, *, partitions: tuple[str, ...] = PARTITIONS) -> str:
        """Why stage 1 gives up."""
        with pytest.raises(CommandError) as failed:
            self.boot(partitions=partitions)
        reason: str = re.findall(r"FAILED: (.*)", failed.value.output)[0]
        return reason

    def reports(self) -> list[str]:
        """The events that were reported, in their order."""
        return [line.split()[0] for line in (self.folder / "reports").read_text().splitlines()]

    def partitioned(self, line: str) -> None:
        """Somebody makes a GPT with one partition."""
        run(["sfdisk", "--quiet", self.device], stdin=f"label: gpt\n{line}\n".encode())
        run(["sh", "-c", 'partx --delete "$1"; partx --add "$1" || true', "sh", self.device])

    def inside(self, part: str, command: str) -> str:
        """What a command says in the file system of a partition."""
        script = f'mount "$1" "$2" && cd "$2" && {command}'
        return run(["unshare", "--mount", "sh", "-c", script, "sh", self.device + part, self.folder / "mnt"])

    def probe(self, part: str, tag: str = "TYPE") -> str:
        """A tag of what is on the disk or a partition."""
        return run(["blkid", "--probe", "--output", "value", "--match-tag", tag, self.device + part]).strip()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    image = tmp_path / "disk.img"
    with image.open("wb") as stream:
        stream.truncate(700 << 20)
    (tmp_path / "mnt").mkdir()
    device = run(["losetup", "--find", "--show", "--partscan", image]).strip()
    try:
        yield Machine(tmp_path, device)
    finally:
        run(["sh", "-c", 'partx --delete "$1"; losetup --detach "$1"', "sh", device])


@pytest.mark.parametrize("format_", ["ext4", "xfs"])
def test_a_blank_disk_gets_the_root_and_the_next_boot_finds_it_there(machine: Machine, format_: str) -> None:
    large = ("number=1,size=400MiB,type=linux,name=root",)
    first = machine.boot(format_=format_, partitions=large)
    second = machine.boot(format_=format_, partitions=large)

    assert "a new partition table" in first
    assert f"installs demo@1 on {machine.device}p1, which holds nothing yet" in first
    assert machine.reports() == ["disk.prepared", "disk.installed", "disk.reused"]
    assert "fetches" not in second
    assert f"demo@1 is on {machine.device}p1 already" in second
    assert "FOUND /.provisioner-root/installed /etc/text " in second
    assert machine.probe("p1") == format_


def test_owners_and_modes_are_those_of_the_image_and_the_packed_image_is_gone(machine: Machine) -> None:
    machine.boot()

    assert machine.inside("p1", "stat -c '%a %u %g' etc/text") == "640 17 18\n"
    assert (
        machine.inside("p1", "stat -c %a .provisioner-root; ls .provisioner-root") == "700\ninstalled\nruntime\n"
    )


def test_another_generation_is_installed_anew_and_other_partitions_keep_their_data(machine: Machine) -> None:
    machine.boot()
    run(["mkfs.ext4", "-q", machine.device + "p3"])
    machine.inside("p3", "echo mine > data")
    machine.inside("p1", "echo old > left-over")
    machine.image("demo@2", "two")

    said = machine.boot()

    assert "installs demo@2" in said
    assert "which has demo@1" in said
    assert "left-over" not in said
    assert machine.inside("p1", "cat etc/text") == "two"
    assert machine.inside("p3", "cat data") == "mine\n"


def test_what_a_running_system_wrote_is_there_after_the_next_boot(machine: Machine) -> None:
    machine.boot()
    machine.inside("p1", "echo log > etc/log")

    assert "/etc/log" in machine.boot()


def test_an_installation_that_was_cut_short_is_made_again(machine: Machine) -> None:
    (machine.folder / "cut").touch()
    with pytest.raises(CommandError):
        machine.boot()
    (machine.folder / "cut").unlink()

    said = machine.boot()

    assert "which was left half-way" in said
    assert "FOUND /.provisioner-root/installed /etc/text " in said


def test_a_root_that_cannot_be_mended_is_made_again(machine: Machine) -> None:
    machine.boot()
    # The kernel met an error, and a folder has lost its inode: no checker mends that unasked.
    for request in ("ssv state 2", "clri /etc"):
        run(["debugfs", "-w", "-R", request, machine.device + "p1"])

    said = machine.boot()

    assert f"installs demo@1 on {machine.device}p1, which is damaged" in said
    assert "FOUND /.provisioner-root/installed /etc/text " in said


@pytest.mark.parametrize(
    ("make", "what"),
    [
        ("mkfs.ext4 -q -L DATA {disk}", 'ext4 "DATA"'),
        ("mkfs.vfat {disk} > /dev/null", "vfat"),
        ("echo 'label: dos' | sfdisk --quiet {disk}", "dos"),
        ("printf 'label: gpt\\nname=theirs' | sfdisk --quiet {disk}", "gpt"),
    ],
)
def test_a_disk_that_holds_something_else_is_left_alone_and_said_so(
    machine: Machine, make: str, what: str
) -> None:
    run(["sh", "-c", make.format(disk=machine.device)])
    before = run(["sha256sum", machine.device])

    reason = machine.refused()

    assert reason == f"the disk {machine.device} holds {what} and stays as it is: root.wipe would overwrite it"
    assert run(["sha256sum", machine.device]) == before
    assert "installs demo@1" in machine.boot("prov.wipe=1")


def test_a_partition_with_files_of_somebody_else_is_left_alone(machine: Machine) -> None:
    machine.partitioned("size=200MiB, name=root")
    run(["mkfs.ext4", "-q", machine.device + "p1"])
    machine.inside("p1", "echo mine > data")

    table = run(["sfdisk", "--dump", machine.device])

    reason = machine.refused(partitions=("name=root", "size=10MiB,name=more"))

    assert reason.startswith(f"the disk {machine.device}p1 holds ext4 and stays as it is")
    assert run(["sfdisk", "--dump", machine.device]) == table
    assert machine.inside("p1", "cat data") == "mine\n"


def test_an_empty_file_system_is_nobodys(machine: Machine) -> None:
    machine.partitioned("name=root")
    run(["mkfs.ext4", "-q", machine.device + "p1"])

    assert "installs demo@1" in machine.boot(partitions=("name=root",))


def test_a_partition_that_is_written_later_is_added_and_the_root_stays(machine: Machine) -> None:
    machine.boot(partitions=PARTITIONS[:1])

    said = machine.boot(partitions=PARTITIONS)

    assert "adds the partition swap" in said
    assert "adds the partition scratch" in said
    assert "fetches" not in said


def test_a_root_that_does_not_fit_is_refused_before_anything_is_fetched(machine: Machine) -> None:
    sheet = machine.folder / "sheet"
    sheet.write_text(sheet.read_text().replace("tree_size=10", f"tree_size={900 << 20}"))

    reason = machine.refused()

    assert re.search(r"p1 is too small: \d+ MiB free, the root needs \d+ MiB", reason)


def test_partitions_that_do_not_fit_are_refused(machine: Machine) -> None:
    reason = machine.refused(partitions=("size=900MiB,name=root", "size=100MiB,name=scratch"))

    assert reason.startswith(f"the disk {machine.device} cannot be partitioned: ")


def test_a_disk_without_a_written_table_is_used_as_it_is(machine: Machine) -> None:
    words = (f"prov.device={machine.device}", "prov.format=ext4", "prov.mkfs=-L", "prov.mkfs=the-root")

    assert f"installs demo@1 on {machine.device}," in machine.boot_with(*words)
    assert "is on" in machine.boot_with(*words)
    assert machine.probe("", "LABEL") == "the-root"


def test_another_format_means_another_installation(machine: Machine) -> None:
    large = ("number=1,size=400MiB,type=linux,name=root",)
    machine.boot(partitions=large)

    said = machine.boot(partitions=large, format_="xfs")

    assert "which has ext4 and not xfs" in said
    assert machine.probe("p1") == "xfs"


def test_the_script_is_clean_for_any_posix_shell() -> None:
    run(["shellcheck", "-s", "sh", STAGE1 / "root-disk.sh"])


def test_stage_1_holds_every_program_that_the_script_runs() -> None:
    setup = (STAGE1 / "module-setup.sh").read_text().replace("\\\n", "")
    held = {word for line in re.findall(r"(?:inst_multiple|demand) (.*)", setup) for word in line.split()}
    wanted = (
        "blkid cp cut df grep head losetup mkdir mount mv readlink rm sed sfdisk sleep sync tail tr udevadm umount"
    )

    assert {*wanted.split(), "wipefs", "fsck.ext4", "mkfs.ext4", "mkfs.xfs"} <= held
