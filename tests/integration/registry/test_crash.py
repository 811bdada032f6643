"""A commit of three files is killed at every system call that writes, and meets every error of a disk there.

What is left is the old state or the new, for a reader at once and on the disk after recovery, with its history.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGKILL
from typing import TypeVar

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.registry import history
from provisioner.registry.amend import recover
from provisioner.registry.collect import collect, site_files
from tests.support.site import write_site
from tests.support.three_files import EDIT, NEW, OLD, REFUSED, UNFINISHED, paths_of

pytestmark = [pytest.mark.integration, pytest.mark.needs("strace")]

CHECKOUT = Path(__file__).resolve().parents[3]
# What may lie in the state folder when nothing is under way; the last is SQLite's, which tidies when it writes.
STATE = {"write.lock", "journal.done", "history.sqlite", "history.sqlite-journal"}
# The system calls that change something on the disk, and an error that each can have.
CALLS = {
    "openat": "ENOSPC",
    "mkdir": "ENOSPC",
    "write": "ENOSPC",
    "pwrite64": "EIO",
    "fchmod": "EPERM",
    "fsync": "EIO",
    "fdatasync": "EIO",
    "rename": "EIO",
    "unlink": "EIO",
}
# A disk that is full stays full.
FULL = {"openat": "ENOSPC", "write": "ENOSPC", "pwrite64": "ENOSPC"}
Fault = tuple[str, str]
T = TypeVar("T")


def test_a_commit_killed_at_any_call_leaves_all_old_or_all_new(tmp_path: Path) -> None:
    def killed(fault: Fault, root: Path) -> bool:
        traced(root, "commit", *fault)
        return is_new(paths_of(root))

    outcomes = sweep(tmp_path, kills(fresh(tmp_path / "dry"), "commit"), killed)

    assert len(outcomes) > 60
    assert set(outcomes) == {False, True}


def test_a_recovery_killed_at_any_call_is_finished_by_the_next(tmp_path: Path) -> None:
    def killed(fault: Fault, root: Path) -> bool:
        crash_after_commit(root)
        traced(root, "recover", *fault)
        return is_new(paths_of(root))

    dry = fresh(tmp_path / "dry")
    crash_after_commit(dry)
    outcomes = sweep(tmp_path, kills(dry, "recover"), killed)

    assert len(outcomes) > 30
    assert all(outcomes)


def test_no_error_of_the_disk_leaves_a_mix_or_anything_lying_around(tmp_path: Path) -> None:
    def failed(fault: Fault, root: Path) -> int:
        status = traced(root, "commit", *fault)
        if status == REFUSED:
            # Before anybody recovers.
            assert lying(paths_of(root)) == OLD, fault
        assert is_new(paths_of(root)) == (status != REFUSED), fault
        return status

    calls = writing(fresh(tmp_path / "dry"), "commit")
    once = [(call, f"error={CALLS[call]}:when={n}") for call, n in calls]
    lasting = [(call, f"error={FULL[call]}:when={n}+") for call, n in calls if call in FULL]
    outcomes = sweep(tmp_path, [*once, *lasting], failed)

    assert len(outcomes) > 80
    assert set(outcomes) == {0, REFUSED, UNFINISHED}


def test_what_a_power_cut_could_lose_is_synced_before_the_next_step_needs_it(tmp_path: Path) -> None:
    root = fresh(tmp_path / "site")
    traced(root, "commit", "fsync,rename")
    unsynced: set[str] = set()
    synced: set[str] = set()
    decided = False
    for call, *names in synced_and_renamed(root):
        if call == "fsync":
            synced.add(names[0])
            unsynced.discard(names[0])
            continue
        old, new = names
        if old.endswith("/journal"):
            assert not unsynced, "the journal goes away when all that it promised lasts"
            continue
        assert decided <= (str(root / "var") not in unsynced), "the decision lasts before anything follows from it"
        decided = decided or new.endswith("/journal")
        assert old in synced or old.endswith(".yaml"), "a content is on the disk before it gets its name"
        unsynced.add(str(Path(new).parent))

    assert decided


def synced_and_renamed(root: Path) -> Iterator[tuple[str, ...]]:
    for line in (root / "data" / "strace.log").read_text().splitlines():
        if match := re.search(r'(fsync)\(\d+<(.*)>\)|(rename)\("(.*)", "(.*)"\)', line):
            yield tuple(word for word in match.groups() if word is not None)


def fresh(root: Path) -> Path:
    write_site(root, OLD)
    return root


def seen(paths: Paths) -> dict[str, str]:
    return {name: content.decode() for name, content in site_files(collect(paths)).items()}


def lying(paths: Paths) -> dict[str, str]:
    inside = (path.relative_to(paths.site) for path in paths.site.rglob("*") if path.is_file())
    return {str(path): (paths.site / path).read_text() for path in inside if path.parts[0] not in {"var", "data"}}


def is_new(paths: Paths) -> bool:
    """Whether all is new: for a reader, then on the disk after recovery. Nearly new, or nearly old, fails."""
    found = seen(paths)
    assert found in (OLD, NEW)
    assert recover(paths) == ()
    assert lying(paths) == found
    recorded = [[each.path for each in change.files] for change in history.changes(paths)]
    assert recorded == ([sorted(EDIT)] if found == NEW else [])
    assert {path.name for path in paths.state.iterdir()} <= STATE
    return found == NEW


def crash_after_commit(root: Path) -> None:
    """Decide the commit, and put nothing in place: the first rename makes the journal."""
    traced(root, "commit", "rename", "signal=KILL:when=2")
    assert (paths_of(root).state / "journal").exists()


def kills(root: Path, verb: str) -> list[Fault]:
    return [(call, f"signal=KILL:when={number}") for call, number in writing(root, verb)]


def sweep(tmp_path: Path, faults: Iterable[Fault], try_one: Callable[[Fault, Path], T]) -> list[T]:
    """Try every fault on a site of its own."""

    def trial(numbered: tuple[int, Fault]) -> T:
        root = fresh(tmp_path / str(numbered[0]))
        outcome = try_one(numbered[1], root)
        shutil.rmtree(root)
        return outcome

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(trial, enumerate(faults)))


def traced(root: Path, verb: str, call: str, fault: str | None = None) -> int:
    """Run the commit or recovery with a fault injected into one call; returns its exit status."""
    log = root / "data" / "strace.log"
    inject = [f"--inject={call}:{fault}"] if fault else []
    program = [sys.executable, "-B", "-m", "tests.support.three_files", verb, str(root)]
    try:
        run(["strace", "-f", "-y", "-qq", "-o", str(log), f"--trace={call}", *inject, *program], cwd=CHECKOUT)
        status, output = 0, ""
    except CommandError as error:
        status, output = error.status, error.output
    assert status in {0, -SIGKILL, REFUSED, UNFINISHED}, output
    assert not fault or re.search("INJECTED|SIGKILL", log.read_text()), f"{call}:{fault} has to happen"
    return status


def writing(root: Path, verb: str) -> list[Fault]:
    """The calls that write below a site, with their numbers as strace counts them: from 1 for each kind."""
    traced(root, verb, ",".join(CALLS))
    counted: Counter[str] = Counter()
    found = []
    creates = re.compile(rf'"{re.escape(str(root))}/.*O_CREAT')
    for line in (root / "data" / "strace.log").read_text().splitlines():
        call = line.split()[1].partition("(")[0]
        counted[call] += 1
        if call != "openat" or creates.search(line):
            found.append((call, str(counted[call])))
    return found
