"""Edits are noticed whatever was done to the folders that they lie in."""

from __future__ import annotations

import asyncio
import math
import mmap
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.daemon.watch import watch

pytestmark = pytest.mark.integration

FILES = {
    "provisioner.yaml": "one",
    "groups.d/a.yaml": "one",
    "nodes.d/a.yaml": "one",
    "overlays/x/rootfs/etc/x": "one",
    "templates/a.ipxe.j2": "one",
}
FOLDERS = sorted({name.split("/")[0] for name in FILES if "/" in name})


class Reader:
    """Reads the whole site whenever it is called, as a reload does."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._read = asyncio.Condition()
        self.seen: dict[str, str] = {}
        self.count = 0

    async def __call__(self) -> None:
        async with self._read:
            # Where a folder is just being replaced there is nothing to read.
            files = {name: self._paths.site / name for name in FILES}
            self.seen = {name: file.read_text() for name, file in files.items() if file.exists()}
            self.count += 1
            self._read.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds after a reading."""
        async with self._read, asyncio.timeout(30):
            await self._read.wait_for(holds)

    async def sees(self, name: str, text: str) -> None:
        """Write a file and wait until its text was read."""
        (self._paths.site / name).write_text(text)
        await self.until(lambda: self.seen.get(name) == text)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = replace(Paths.below(tmp_path / "site"), data=tmp_path / "data")
    for name, text in FILES.items():
        file = paths.site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return paths


@asynccontextmanager
async def watching(paths: Paths, *, look_every: float = math.inf) -> AsyncIterator[Reader]:
    """A watcher at work: it has read everything once."""
    reader = Reader(paths)
    watcher = asyncio.create_task(watch(paths, reader, look_every=look_every))
    try:
        await reader.until(lambda: reader.count > 0)
        yield reader
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


def remade(folder: Path) -> None:
    """Another folder with the same files, as `rm -r` and a new checkout leave it."""
    texts = {file.relative_to(folder): file.read_text() for file in folder.rglob("*") if file.is_file()}
    shutil.rmtree(folder)
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def swapped(folder: Path) -> None:
    """Another folder with the same files, as two renames leave it."""
    shutil.copytree(folder, folder.with_name("new"))
    folder.rename(folder.with_name("old"))
    folder.with_name("new").rename(folder)


@pytest.mark.parametrize("replaced", [remade, swapped])
@pytest.mark.parametrize("folder", FOLDERS)
async def test_edits_in_a_folder_that_took_the_place_of_another_one_are_seen(
    paths: Paths, folder: str, replaced: Callable[[Path], None]
) -> None:
    inside = next(name for name in FILES if name.startswith(f"{folder}/"))

    async with watching(paths) as reader:
        for number in range(3):
            replaced(paths.site / folder)
            shutil.rmtree(paths.site / "old", ignore_errors=True)
            await reader.sees("provisioner.yaml", f"after it was replaced {number}")
            await reader.sees(inside, f"edit {number}")


@pytest.mark.parametrize("replaced", [remade, swapped])
async def test_a_whole_site_that_took_the_place_of_another_one_is_watched(
    paths: Paths, replaced: Callable[[Path], None]
) -> None:
    async with watching(paths) as reader:
        replaced(paths.site)
        for name in FILES:
            await reader.sees(name, "after the site was replaced")


async def test_a_link_that_leads_to_another_folder_is_followed_there(paths: Paths, tmp_path: Path) -> None:
    for name in ("first", "second"):
        shutil.copytree(paths.node_files, tmp_path / name)
    shutil.rmtree(paths.node_files)
    paths.node_files.symlink_to(tmp_path / "first")

    async with watching(paths) as reader:
        await reader.sees("nodes.d/a.yaml", "in the first")
        (paths.site / "link").symlink_to(tmp_path / "second")
        (paths.site / "link").replace(paths.node_files)
        await reader.sees("nodes.d/a.yaml", "in the second")
        await reader.sees("nodes.d/a.yaml", "in the second again")


async def test_a_folder_inside_an_overlay_may_be_replaced_too(paths: Paths) -> None:
    async with watching(paths) as reader:
        for number in range(3):
            remade(paths.site / "overlays/x")
            await reader.sees("overlays/x/rootfs/etc/x", f"edit {number}")


@pytest.mark.needs("git")
async def test_edits_are_seen_after_checkouts_that_empty_a_folder_and_fill_it_again(paths: Paths) -> None:
    def git(*words: str) -> None:
        command = ["git", "-C", str(paths.site), "-c", "user.name=a", "-c", "user.email=a@b", *words]
        subprocess.run(command, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch", "one")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    git("checkout", "--quiet", "-b", "two")
    git("mv", "groups.d/a.yaml", "groups.d/b.yaml")
    git("commit", "--quiet", "--message", "two")

    async with watching(paths) as reader:
        for number in range(3):
            git("checkout", "--quiet", "one")
            await reader.until(lambda: "groups.d/a.yaml" in reader.seen)
            await reader.sees("groups.d/a.yaml", f"edit {number}")
            git("checkout", "--quiet", "--force", "two")
            await reader.until(lambda: "groups.d/a.yaml" not in reader.seen)


async def test_what_the_kernel_does_not_tell_of_is_found_by_looking_now_and_then(paths: Paths) -> None:
    file = paths.node_files / "a.yaml"
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as memory:
        async with watching(paths, look_every=0.05) as reader:
            # Written through memory, and not closed: no event of inotify.
            memory[:3] = b"two"
            await reader.until(lambda: reader.seen["nodes.d/a.yaml"] == "two")
