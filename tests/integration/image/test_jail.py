"""The root that unsquashfs is shut into: what a program in it can reach."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioner.image import unsquash

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("unshare", "setpriv", "prlimit", "mount"),
]


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    for name in ("tree", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "image").write_text("squashfs")
    return tmp_path / "image", tmp_path / "tree", tmp_path / "scratch"


def inside(places: tuple[Path, Path, Path], script: str) -> subprocess.CompletedProcess[str]:
    command = unsquash.jailed(["sh", "-c", script], *places)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_tree_is_all_that_it_can_write(places: tuple[Path, Path, Path]) -> None:
    done = inside(places, "echo x >/tree/made; for p in /new /usr/new /image /tmp/new; do echo x >$p; done")

    assert (places[1] / "made").read_text() == "x\n"
    assert places[0].read_text() == "squashfs"
    assert done.stderr.count("Read-only file system") == 4
    assert not Path("/usr/new").exists()


def test_the_machine_is_out_of_sight(places: tuple[Path, Path, Path]) -> None:
    done = inside(places, "echo /* ; ls /proc /etc")

    assert set(done.stdout.splitlines()[0].split()) <= {
        f"/{name}" for name in ("bin", "image", "lib", "lib64", "proc", "sbin", "tmp", "tree", "usr")
    }
    assert "/etc" in done.stderr


def test_it_can_neither_mount_nor_leave(places: tuple[Path, Path, Path]) -> None:
    done = inside(places, "mount -t tmpfs x /tree || chroot /tree true || echo no")

    assert done.stdout == "no\n"


def test_nothing_stays_mounted(places: tuple[Path, Path, Path]) -> None:
    inside(places, "true")

    assert str(places[2]) not in Path("/proc/self/mountinfo").read_text()
    assert list((places[2] / "jail").iterdir()) == []
