"""Many processes that write at once, and one that reads all the time."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.host.files import locked
from provisioner.registry import history
from provisioner.registry.amend import finish_interrupted, write
from provisioner.registry.collect import collect, site_files
from provisioner.registry.record import About
from tests.support.site import SITE, write_site
from tests.support.three_files import paths_of

pytestmark = pytest.mark.integration

WRITERS = 20
PAIR = ("nodes.d/left.yaml", "nodes.d/right.yaml")


def add(root: Path, number: int) -> None:
    """Write a file of one's own, and the next number into two files that everybody shares."""
    paths = paths_of(root)
    with locked(paths.write_lock):
        finish_interrupted(paths)
        files = collect(paths)
        following = b"%d" % (int(files[f"site/{PAIR[0]}"].content) + 1)
        contents = {f"nodes.d/n{number}.yaml": b"nodes: {}\n", **dict.fromkeys(PAIR, following)}
        write(paths, files, contents, About(who=f"writer {number}", command="add"))


def read(root: Path, stop: Event) -> None:
    """Fail when the two shared files are ever different."""
    paths = paths_of(root)
    while not stop.is_set():
        files = collect(paths)
        left, right = (files[f"site/{path}"].content for path in PAIR)
        if left != right:
            raise SystemExit(f"{left!r} beside {right!r}")


def prepared(root: Path) -> Paths:
    return write_site(root, {"provisioner.yaml": SITE, **dict.fromkeys(PAIR, "0")})


def test_all_changes_of_twenty_writers_are_there_and_no_reader_sees_half_of_one(tmp_path: Path) -> None:
    paths = prepared(tmp_path)
    spawning = multiprocessing.get_context("spawn")
    stop = spawning.Event()
    reader = spawning.Process(target=read, args=(tmp_path, stop))
    writers = [spawning.Process(target=add, args=(tmp_path, number)) for number in range(WRITERS)]
    for process in (reader, *writers):
        process.start()
    for process in writers:
        process.join()
    stop.set()
    reader.join()

    assert [process.exitcode for process in (reader, *writers)] == [0] * (WRITERS + 1)
    files = site_files(collect(paths))
    assert [files[path] for path in PAIR] == [b"20", b"20"]
    assert {f"nodes.d/n{number}.yaml" for number in range(WRITERS)} <= set(files)
    found = history.changes(paths)
    assert {change.who for change in found} == {f"writer {number}" for number in range(WRITERS)}
    # Each change began where the one before it ended.
    assert [change.before for change in found[:-1]] == [change.after for change in found[1:]]
