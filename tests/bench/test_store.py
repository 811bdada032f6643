"""One package more: what the second generation costs in room and time, and how little of it has to travel."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from provisioner.config.paths import Paths
from provisioner.image import store
from provisioner.image.build import Obtained, build
from provisioner.image.gc import artifacts_of
from provisioner.image.verify import verify
from provisioner.model.image import Artifact, Generation, Origin

NEEDED = ("dracut", "mksquashfs", "zstd", "cpio", "depmod")
pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.needs(*NEEDED)]

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "images"
RECORD = "Package: benchmark\nStatus: install ok installed\nVersion: {}\nArchitecture: amd64\n\n"
DELTA = 0.25
T = TypeVar("T")


def test_a_changed_package_costs_so_much(tmp_path: Path) -> None:
    here, there = Paths.below(tmp_path / "here"), Paths.below(tmp_path / "there")
    source = _tree()
    first, first_seconds = _timed(lambda: _build(here, source, 1))
    before = _size(here)
    second, second_seconds = _timed(lambda: _build(here, source, 2))
    growth = _size(here) - before
    base, whole, delta, tree = (tmp_path / name for name in ("base", "whole", "delta", "tree"))
    _prov(here, "export", first.name, base, "--tree")
    _prov(here, "export", second.name, whole)
    made = _prov(here, "export", second.name, delta, "--against", first.name)
    _prov(here, "export", second.name, tree, "--tree", "--against", first.name)
    _prov(there, "load", base)
    loaded = _prov(there, "load", tree)

    assert list(verify(there, [store.find(there, second.name)], deep=True)) == []
    artifacts = set(artifacts_of(second))
    new = artifacts - set(artifacts_of(first))
    ratio = delta.stat().st_size / whole.stat().st_size
    print(
        f"\nA package of 400 kB changes in a tree of {first.tree_size >> 20} MiB:"
        f"\n  build       first {first_seconds:.1f} CPU s, second {second_seconds:.1f} CPU s"
        f"\n  store       {_mib(artifacts)} of artifacts, {_mib(new)} of them new; with the tree it grows by"
        f" {growth >> 20} MiB"
        f"\n  bundles     whole {_mb(whole)}, delta {_mb(delta)}, delta with its tree {_mb(tree)}"
        f"\n  delta to whole: size {ratio:.3f} (to hold: {DELTA})"
        f"\n  to make it  {made.seconds:.1f} CPU s, {made.memory >> 20} MiB of memory"
        f"\n  to load it  {loaded.seconds:.1f} CPU s, {loaded.memory >> 20} MiB of memory (with its tree)"
    )


def _tree() -> Path:
    built = [path for path in CACHE.glob("*/site/var/images/trees/*") if (path / "etc/os-release").exists()]
    if not built:
        pytest.fail(
            "there is no Debian tree to measure with: .venv/bin/pytest tests/e2e/test_boot.py", pytrace=False
        )
    return max(built, key=lambda path: path.stat().st_mtime)


def _build(paths: Paths, source: Path, version: int) -> Generation:
    def obtain(tree: Path) -> Obtained:
        subprocess.run(["cp", "-a", "--reflink=auto", source, tree], check=True)
        noise = random.Random(version).randbytes(400_000)
        for name, content in {
            "bin/benchmark": noise,
            "share/doc/benchmark": RECORD.format(version).encode(),
        }.items():
            (tree / "usr" / name).write_bytes(content)
        status = tree / "var/lib/dpkg/status"
        status.write_text(RECORD.format(version) + status.read_text())
        return Obtained(Origin(kind="directory", reference=str(source)), 1_700_000_000)

    return build(paths, "debian-12", obtain, say=lambda _: None).generation


class Cost(NamedTuple):
    """CPU-seconds of a command and all that it ran, and the memory (bytes) of the largest process among them."""

    seconds: float
    memory: int


def _prov(paths: Paths, *words: str | Path) -> Cost:
    process = subprocess.Popen([sys.executable, "-m", "provisioner", "--root", paths.site, "image", *words])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What some work gives, and its CPU-seconds."""
    before = _cpu()
    return work(), _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def _mib(artifacts: Iterable[Artifact]) -> str:
    return f"{sum(each.size for each in artifacts) >> 20} MiB"


def _mb(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"


def _size(paths: Paths) -> int:
    return sum(path.lstat().st_blocks * 512 for path in paths.images.rglob("*"))
