"""Packing a root: processor time and size, ours against cpio and pigz -6."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.image import squashfs
from provisioner.image.codec import Codec

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.needs("mksquashfs", "unsquashfs", "cpio")]

TREES = Path(__file__).resolve().parents[2] / ".cache" / "images"
SUBSTITUTE = 100 << 20
# Our root image leaves these empty (provisioner/image/squashfs.py), so the peer has to leave them too.
LEFT_OUT = ("boot", "dev", "proc", "run", "sys", "tmp")


def test_a_root_costs_so_much_of_cpio_and_pigz(tmp_path: Path) -> None:
    tree = _tree(tmp_path)
    ours, theirs = tmp_path / "root.squashfs", tmp_path / "root.cpio.gz"

    our_seconds = _seconds(lambda: squashfs.pack(tree, ours, codec=Codec.ZSTD, epoch=0))
    their_seconds = _seconds(lambda: _pack_as_peers_do(tree, theirs))

    run(["unsquashfs", "-no-progress", "-dest", tmp_path / "unpacked", ours])
    _same_files(tree, tmp_path / "unpacked")
    our_size, their_size = ours.stat().st_size, theirs.stat().st_size
    print(
        f"\nPacking a tree of {_size(tree) >> 20} MiB, CPU-seconds and size:"
        f"\n  ours (squashfs, zstd)  {our_seconds:.1f} s, {our_size >> 20} MiB"
        f"\n  cpio and pigz -6       {their_seconds:.1f} s, {their_size >> 20} MiB"
        f"\n  ours to theirs: CPU {our_seconds / their_seconds:.2f} (to hold: 0.33),"
        f" size {our_size / their_size:.2f} (to hold: 0.95)"
    )


def _tree(folder: Path) -> Path:
    built = [path for path in TREES.glob("*/site/var/images/trees/*") if (path / "etc/os-release").exists()]
    if built:
        return max(built, key=lambda path: path.stat().st_mtime)
    tree = folder / "tree"
    for source in sorted(Path("/usr/share").iterdir()):
        if source.is_dir():
            shutil.copytree(source, tree / source.name, symlinks=True)
        if _size(tree) >= SUBSTITUTE:
            break
    return tree


def _pack_as_peers_do(tree: Path, output: Path) -> None:
    empty = " -o ".join(f"-path './{name}/*'" for name in LEFT_OUT)
    find = rf"find . \( {empty} \) -prune -o -print0"
    pipe = f'cd "$0" && {find} | cpio --quiet --null --create --format=newc | pigz -6 > "$1"'
    run(["sh", "-c", pipe, tree, output])


def _seconds(work: Callable[[], None]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _same_files(tree: Path, unpacked: Path) -> None:
    checked = 0
    for path in sorted(tree.glob("*/**/*"))[::50]:
        inside = path.relative_to(tree)
        if path.is_file() and not path.is_symlink() and inside.parts[0] not in LEFT_OUT:
            assert (unpacked / inside).read_bytes() == path.read_bytes(), inside
            checked += 1
    assert checked > 20


def _size(tree: Path) -> int:
    return sum(path.lstat().st_size for path in tree.rglob("*") if not path.is_symlink())
