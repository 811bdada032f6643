"""A whole build of an image of 1 GiB against what others run for one: processor time, size, and a second build."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from provisioner.config.paths import Paths
from provisioner.host.run import run
from provisioner.image import store
from provisioner.image.build import Obtained, Outcome, build
from provisioner.image.copies import copy_tree
from provisioner.model.image import Origin, Packing
from provisioner.operations.imageexec import Room, exec_image
from tests.support.bigtree import big_tree, size_of

pytestmark = [
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.needs("mksquashfs", "dracut", "cpio", "pigz"),
    pytest.mark.timeout(3600),
]

T = TypeVar("T")

WANTED = 1 << 30
# Our root leaves these empty (provisioner/image/squashfs.py), so the peer has to leave them too.
LEFT_OUT = ("boot", "dev", "proc", "run", "sys", "tmp")


def test_a_build_costs_so_much_of_cpio_and_pigz(tmp_path: Path) -> None:
    paths, tree = Paths.below(tmp_path / "site"), tmp_path / "tree"
    _fill(tree, tmp_path)
    megabytes = size_of(tree) >> 20
    theirs = tmp_path / "root.cpio.gz"

    peer, _ = _seconds(lambda: _pack_as_peers_do(tree, theirs))
    ours, first = _seconds(lambda: _build(paths, tree, Packing()))
    again, second = _seconds(
        lambda: _build(paths, store.tree_path(paths, first.generation.tree), Packing(), copy=True)
    )
    small, release = _seconds(
        lambda: _build(paths, store.tree_path(paths, first.generation.tree), _RELEASE, copy=True)
    )
    changed, _ = _seconds(lambda: exec_image(paths, "big", ["touch", "/etc/changed"], Room(interactive=False)))

    assert not second.is_new
    peer_size, sizes = theirs.stat().st_size, [_size(first), _size(release)]
    print(
        f"\nA build of a tree of {megabytes} MiB, CPU-seconds and size of the root:"
        f"\n  cpio and pigz -6            {peer:6.1f} s  {peer_size >> 20} MiB"
        f"\n  ours, all steps             {ours:6.1f} s  {sizes[0] >> 20} MiB"
        f"\n  ours, nothing has changed   {again:6.1f} s  (with a copy of the tree)"
        f"\n  ours, after one command     {changed:6.1f} s  (with a copy of the tree)"
        f"\n  ours, profile release       {small:6.1f} s  {sizes[1] >> 20} MiB"
        f"\n  ours to theirs: CPU {ours / peer:.2f} (to hold: 0.33),"
        f" size {sizes[0] / peer_size:.2f} (to hold: 0.95)"
    )


_RELEASE = Packing(profile="release")


def _fill(tree: Path, folder: Path) -> None:
    """A system with a kernel, and other files of this machine beside it up to the size: no file is there twice."""
    copy_tree(big_tree(folder), tree)
    size = size_of(tree)
    for source in sorted(Path("/usr").glob("*/*")):
        if source.is_dir() and not source.is_symlink() and size + size_of(source) <= WANTED:
            shutil.copytree(source, tree / "opt" / source.relative_to("/usr"), symlinks=True)
            size += size_of(source)


def _build(paths: Paths, source: Path, packing: Packing, *, copy: bool = False) -> Outcome:
    def obtain(tree: Path) -> Obtained:
        if copy:
            copy_tree(source, tree)
        else:
            source.rename(tree)
        return Obtained(Origin(kind="directory", reference="bench"), 1_700_000_000)

    return build(paths, "big", obtain, say=lambda _: None, packing=packing)


def _size(outcome: Outcome) -> int:
    return outcome.generation.boot_set.root.size


def _pack_as_peers_do(tree: Path, output: Path) -> None:
    empty = " -o ".join(f"-path './{name}/*'" for name in LEFT_OUT)
    find = rf"find . \( {empty} \) -prune -o -print0"
    pipe = f'cd "$0" && {find} | cpio --quiet --null --create --format=newc | pigz -6 > "$1"'
    run(["sh", "-c", pipe, tree, output], timeout=3600)


def _seconds(work: Callable[[], T]) -> tuple[float, T]:
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result = work()
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(
        late.ru_utime + late.ru_stime - early.ru_utime - early.ru_stime
        for early, late in zip(before, after, strict=True)
    ), result
