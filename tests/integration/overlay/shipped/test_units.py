"""systemd itself loads every unit that the shipped overlays make, and shows what it understood."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.model.disk import FileSystem
from provisioner.render.quote import systemd_name, systemd_path
from tests.support.richnode import FILESYSTEMS, render, rich, unpack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs("systemd-analyze", "systemd-escape"),
]

STRANGE = "/srv/100%$x\"'\\y"
OVERLAYS = ("disks", "ignition", "mig", "mounts", "munge", "nfs", "slurm", "users")
# Programs of other packages: verify only looks whether they are there.
FOREIGN = (
    *("usr/lib/dracut/modules.d/30ignition/ignition", "usr/bin/nvidia-mig-parted"),
    *("usr/sbin/slurmd", "usr/bin/systemd-sysusers"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with systemd's own units and those of the overlays."""
    folder = tmp_path_factory.mktemp("units")
    strange = FileSystem(path=STRANGE, format="ext4", mount_options=("x-a=%h",))
    node = rich(filesystems={**FILESYSTEMS, "/dev/sdc1": strange})
    (folder / "site").mkdir()
    tree = unpack(render(folder / "site", *OVERLAYS, node=node), folder / "tree")
    shutil.copytree("/usr/lib/systemd/system", tree / "usr/lib/systemd/system", symlinks=True)
    for name in FOREIGN:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("#!/bin/sh\n")
        (tree / name).chmod(0o755)
    services = {"slurmd": "/usr/sbin/slurmd", "munge": "/usr/sbin/slurmd"}
    for name, program in services.items():
        text = f"[Unit]\nConditionPathExists=/etc/{name}.conf\n[Service]\nExecStart={program}\n"
        (tree / f"usr/lib/systemd/system/{name}.service").write_text(text)
    return tree


def verify(tree: Path, *units: str, level: str = "warning") -> str:
    """What systemd says of units, and what it has understood of them, where it is asked to be talkative."""
    command = ["sh", "-c", 'systemd-analyze verify --man=no "$@" 2>&1', "sh", f"--root={tree}"]
    paths = [tree / "etc/systemd/system" / unit for unit in units]
    existing = [path if path.exists() else tree / "usr/lib/systemd/system" / path.name for path in paths]
    return run([*command, *existing], environment={"SYSTEMD_LOG_LEVEL": level})


def test_systemd_has_nothing_to_say_about_any_unit(tree: Path) -> None:
    units = [path.name for path in (tree / "etc/systemd/system").iterdir() if path.is_file()]

    assert len(units) == 10
    assert verify(tree, *units, "slurmd.service", "munge.service", "systemd-sysusers.service") == ""


def test_systemd_mounts_what_is_written_where_it_is_written(tree: Path) -> None:
    understood = verify(tree, systemd_path(STRANGE) + ".mount", "home.mount", level="debug")

    for line in (f"Where: {STRANGE}", "What: /dev/sdc1", "File System Type: ext4", "Options: x-a=%h"):
        assert f"\t\t{line}\n" in understood
    for line in ("Where: /home", "What: 10.0.0.1:/home", "Options: _netdev,nfsvers=4.2,hard"):
        assert f"\t\t{line}\n" in understood


def test_every_mount_waits_for_the_disks_and_is_wanted_by_its_target(tree: Path) -> None:
    understood = verify(tree, "provisioner-disks.service", "local-fs.target", "swap.target", level="debug")

    assert "Before: local-fs-pre.target" in understood
    for unit in ("srv-data.mount", systemd_path(STRANGE) + ".mount", "provisioner-disks.service"):
        assert f"Wants: {unit} (" in understood
    assert f"Wants: {systemd_path('/dev/disk/by-partlabel/swap')}.swap (" in understood


def test_the_order_of_a_whole_start_has_no_cycle(tree: Path) -> None:
    # Programs of systemd are not in this tree, which is not the question here.
    command = 'systemd-analyze verify --man=no "$@" 2>&1 || true'
    target = tree / "usr/lib/systemd/system/multi-user.target"
    said = run(["sh", "-c", command, "sh", f"--root={tree}", target], environment={"SYSTEMD_LOG_LEVEL": "debug"})

    assert "provisioner-disks.service: Installed new job provisioner-disks.service/start" in said
    assert "cycle" not in said


def test_swap_waits_for_the_disks_even_where_fstab_made_it(tree: Path) -> None:
    folder = tree / "etc/systemd/system" / f"{systemd_path('/dev/disk/by-partlabel/swap')}.swap.d"

    assert [path.read_text() for path in folder.iterdir()] == ["[Unit]\nAfter=provisioner-disks.service\n"]


@pytest.mark.parametrize("unit", ["systemd-sysusers.service", "slurmd.service"])
def test_the_conditions_of_the_package_are_gone(tree: Path, unit: str) -> None:
    dump = verify(tree, unit, level="debug").partition(f"-> Unit {unit}:")[2].partition("-> Unit")[0]

    assert "Unit Load State: loaded" in dump
    assert "Condition" in (tree / "usr/lib/systemd/system" / unit).read_text()
    assert "ConditionNeedsUpdate:" not in dump
    assert "ConditionPathExists:" not in dump


@pytest.mark.parametrize(
    "path", ["/srv/a-b", "/", "/.hidden/x", "/srv//double/", "/srv/ü", "/a b\tc".replace("\t", " "), STRANGE]
)
def test_a_path_becomes_the_name_that_systemd_gives_it(path: str) -> None:
    assert systemd_path(path) == run(["systemd-escape", "--path", path]).strip()


@pytest.mark.parametrize("text", ["a-b/c", ".x", "foo@bar", "%%", "é:_."])
def test_a_text_becomes_the_name_that_systemd_gives_it(text: str) -> None:
    assert systemd_name(text) == run(["systemd-escape", "--", text]).strip()
