"""Every change of an image store is killed at calls that write: what is left is whole, and nothing is half.

What nodes are served stays what it was until the change is made, and the same change made again goes to its end.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError
from provisioner.image import store
from provisioner.image.verify import verify
from provisioner.operations import imagegc
from tests.support.daemon import eventually
from tests.support.imagestore import let_age, served
from tests.support.oci import bootable_layer, layout
from tests.support.storewriter import VERBS, prepared

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("strace", "zstd"),
    pytest.mark.timeout(600),
]

CHECKOUT = Path(__file__).resolve().parents[3]
CALLS = "openat,mkdir,write,fchmod,chmod,fsync,rename,unlink,unlinkat,rmdir,symlink,link,linkat,mknod"
# What the image means, and which generations there are, before and after.
OUTCOMES: dict[str, tuple[set[str], set[str]]] = {
    "rollback": ({"toy@1", "toy@2", "toy@3"}, {"toy@1"}),
    "delete": ({"toy@2", "toy@3"}, {"toy@3"}),
    "collect": ({"toy@3"}, {"toy@3"}),
    "load": ({"new@1", "toy@1", "toy@2", "toy@3"}, {"new@1", "toy@3"}),
}
KILLED = -9
MOST = 30


@pytest.mark.parametrize("verb", OUTCOMES)
def test_a_change_of_the_store_killed_at_any_moment_leaves_it_whole(tmp_path: Path, verb: str) -> None:
    template = tmp_path / "template"
    before = prepared(template)
    was_served = {name: path.read_bytes() for name, path in served(before).items()}
    points = moments(copied(template, tmp_path / "dry"), verb)

    def killed(numbered: tuple[int, tuple[str, int]]) -> bool:
        root = copied(template, tmp_path / str(numbered[0]))
        call, number = numbered[1]
        assert run(root, verb, f"--inject={call}:signal=KILL:when={number}") == KILLED, (call, number)
        paths = Paths.below(root)
        demand_whole(paths, was_served)
        is_done = existing(paths) == OUTCOMES[verb][0]
        unlocked(lambda: VERBS[verb](paths))
        assert existing(paths) == OUTCOMES[verb][0]
        assert current(paths) == OUTCOMES[verb][1]
        demand_whole(paths, {})
        demand_swept(paths)
        shutil.rmtree(root)
        return is_done

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(killed, enumerate(points)))

    assert len(outcomes) > 5
    assert verb == "rollback" or set(outcomes) == {False, True}


def test_a_publication_killed_at_any_moment_changes_nothing_or_all(tmp_path: Path) -> None:
    template = tmp_path / "template"
    was_served = {name: path.read_bytes() for name, path in served(prepared(template)).items()}
    points = moments(copied(template, tmp_path / "dry"), "publish")

    def killed(numbered: tuple[int, tuple[str, int]]) -> frozenset[str]:
        root = copied(template, tmp_path / str(numbered[0]))
        assert run(root, "publish", f"--inject={numbered[1][0]}:signal=KILL:when={numbered[1][1]}") == KILLED
        paths = Paths.below(root)
        demand_whole(paths, was_served)
        found = current(paths)
        shutil.rmtree(root)
        return frozenset(found)

    with ThreadPoolExecutor(2) as pool:
        assert {frozenset({"toy@3"}), frozenset({"toy@4"})} >= set(pool.map(killed, enumerate(points)))


@pytest.mark.needs("dracut", "mksquashfs", "cpio", "depmod")
def test_an_import_killed_when_it_puts_things_into_the_store_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "site"
    was_served = {name: path.read_bytes() for name, path in served(prepared(root)).items()}
    source = f"oci:{layout(tmp_path / 'layout', [bootable_layer()])}"
    command = [sys.executable, "-m", "provisioner", "--root", str(root), "image", "import", source, "toy"]

    seen = []
    for number in range(1, 12):
        # Its own renames only: those of the programs that it starts are in scratch folders.
        inject = [
            "strace",
            "-qq",
            "-o",
            "/dev/null",
            "--trace=rename",
            f"--inject=rename:signal=KILL:when={number}",
        ]
        done = subprocess.run([*inject, *command], cwd=CHECKOUT, check=False, capture_output=True)
        demand_whole(Paths.below(root), was_served)
        seen.append(done.returncode)
        if done.returncode == 0:
            break

    assert seen.count(KILLED) >= 5
    assert seen[-1] == 0
    assert not list((root / "var/images/tmp").iterdir())


def demand_whole(paths: Paths, was_served: dict[str, bytes]) -> None:
    known = store.catalogue(paths)
    every = [each for found in known.generations.values() for each in found.values()]
    assert list(verify(paths, every, deep=True)) == []
    for name, content in was_served.items():
        generation, role = re.fullmatch(r"(.*@\d+)(\w+)", name).groups()  # type: ignore[union-attr]  # made by `served`
        found = getattr(store.find(paths, generation).boot_set, role)
        assert store.artifact_path(paths, found.digest).read_bytes() == content


def unlocked(action: Callable[[], object]) -> None:
    """Do what takes locks: a program that the other thread starts has them too, until it is that program."""

    def did() -> bool:
        try:
            action()
        except ConflictError:
            return False
        return True

    eventually(did)


def demand_swept(paths: Paths) -> None:
    """One sweep takes all that a crash left."""
    let_age(paths)
    unlocked(lambda: imagegc.collect(paths, imagegc.plan(paths, keep=9, days=1e6), keep=9, days=1e6))
    known = {each.tree for found in store.catalogue(paths).generations.values() for each in found.values()}
    assert list((paths.images / "tmp").iterdir()) == []
    for name in ("trees", "manifests"):
        assert {f"sha256:{path.name}" for path in (paths.images / name).iterdir()} == known


def existing(paths: Paths) -> set[str]:
    found = store.catalogue(paths).generations
    return {each.name for generations in found.values() for each in generations.values()}


def current(paths: Paths) -> set[str]:
    known = store.catalogue(paths)
    return {f"{name}@{number}" for name, number in known.current.items()}


def copied(template: Path, root: Path) -> Path:
    subprocess.run(["cp", "-a", template, root], check=True)
    return root


def moments(root: Path, verb: str) -> list[tuple[str, int]]:
    """Calls that write below the site, evenly spread; each with its number as strace counts, from 1 for a kind."""
    log = root.with_name("strace.log")
    assert run(root, verb, "-y", "-o", str(log)) == 0
    counted: Counter[str] = Counter()
    found = []
    for line in log.read_text().splitlines():
        if match := re.match(r"(?:\d+ +)?(\w+)\(", line):
            counted[match[1]] += 1
            if str(root) in line and (match[1] != "openat" or "O_CREAT" in line):
                found.append((match[1], counted[match[1]]))
    return found[:: len(found) // MOST + 1]


def run(root: Path, verb: str, *options: str) -> int:
    output = [] if "-o" in options else ["-o", "/dev/null"]
    program = [sys.executable, "-B", "-m", "tests.support.storewriter", verb, str(root)]
    command = ["strace", "-qq", f"--trace={CALLS}", *output, *options, *program]
    return subprocess.run(command, cwd=CHECKOUT, check=False, capture_output=True).returncode
