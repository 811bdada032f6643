"""A state that cannot be written: the daemon serves from memory, says so, and makes up for it afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.lab.namespace import Namespace
from tests.support.world import World, until, world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("nsenter", "ip", "mkfs.ext4"),
    pytest.mark.timeout(400),
]


class Disk:
    """A disk of its own at the state folder of a head node, in the mount namespace of that alone."""

    def __init__(self, head: Namespace, image: Path, folder: Path) -> None:
        self._head = head
        self._image = image
        self._folder = folder

    def begin(self) -> None:
        """Make it, with what is in the folder now."""
        before = self._folder.with_name("before")
        self._folder.rename(before)
        self._folder.mkdir()
        with self._image.open("wb") as stream:
            stream.truncate(64 << 20)
        self._head.run(["mkfs.ext4", "-q", self._image])
        self.mount()
        self._head.run(["cp", "-a", f"{before}/.", self._folder])
        # What a disk that breaks has not written yet is gone for good.
        self._head.run(["sync", "--file-system", self._folder])
        shutil.rmtree(before)

    def mount(self, options: str = "rw") -> None:
        """Mount it."""
        self._head.run(["mount", "-o", f"loop,{options}", self._image, self._folder])

    def protect(self, options: str) -> None:
        """Mount it in another way; `abort` is what the kernel does of itself after an error of the disk."""
        self._head.run(["mount", "-o", f"remount,{options}", self._folder])

    def repair(self) -> None:
        """What people do then: put another disk in its place, with what could be saved of it.

        It is mounted over the old one, so that at no moment the bare folder is there to be written to.
        """
        saved = self._image.with_name("saved")
        shutil.copyfile(self._image, saved)
        self._image = saved
        self.mount()


@contextmanager
def disk(place: World) -> Iterator[Disk]:
    made = Disk(place.head, place.folder / "disk", place.paths.state)
    made.begin()
    yield made


def ready(place: World) -> set[str | None]:
    """The nodes that got ready, by the file as the daemon has it; none in one that is just begun."""
    words = ["sqlite3", "-readonly", str(place.paths.events), "select node from event where name = 'ready'"]
    try:
        return set(place.head.run(words).split())
    except CommandError:
        return set()


def missing(place: World) -> str:
    """What the daemon says that it lacks."""
    return "\n".join(place.status()["daemon"]["missing"])


def test_a_daemon_starts_on_a_read_only_state_and_catches_up_when_it_can_write(tmp_path: Path) -> None:
    with world(tmp_path, nodes=3) as place, disk(place) as state:
        place.daemon.start()
        place.boots(1)
        place.daemon.stop()
        state.protect("ro")

        place.daemon.start()
        place.boots(2)
        assert "the file system is read-only; nodes boot all the same" in missing(place)
        assert "problems" not in place.log()

        state.protect("rw")
        until(lambda: ready(place) == {"n000001", "n000002"})
        until(lambda: missing(place) == "")
        place.boots(3)
        place.daemon.stop()
    assert "Traceback" not in place.log()


def test_a_disk_that_breaks_under_a_running_daemon_costs_no_boot_and_no_record(tmp_path: Path) -> None:
    with world(tmp_path, nodes=3) as place, disk(place) as state:
        place.daemon.start()
        place.boots(1)
        state.protect("abort")

        place.boots(2)
        until(lambda: "cannot be written" in missing(place))

        state.repair()
        until(lambda: "n000002" in ready(place))
        until(lambda: missing(place) == "")
        place.boots(3)
        place.daemon.stop()
    assert "Traceback" not in place.log()
