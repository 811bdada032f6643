"""Unpacking a large layer: processor time and memory, ours against umoci."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from provisioner.host.run import run
from tests.support.bigtree import big_tree, size_of
from tests.support.oci import Layout

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.needs("tar", "gzip", "zstd")]

OURS = """
import json, sys
from pathlib import Path
from provisioner.image.oci import open_image
from provisioner.image.unpack import unpack
unpack(open_image(Path(sys.argv[1])), Path(sys.argv[2]))
"""
MEASURE = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))
"""


def test_a_layer_costs_so_much_of_umoci(tmp_path: Path) -> None:
    tree = big_tree(tmp_path)
    layout = _layout(tree, tmp_path)

    ours = _measured([sys.executable, "-c", OURS, layout.folder, tmp_path / "ours"])
    theirs = _measured(["umoci", "unpack", "--image", f"{layout.folder}:latest", tmp_path / "theirs"])

    _same(tmp_path / "ours", tmp_path / "theirs/rootfs")
    print(
        f"\nUnpacking a layer of {size_of(tree) >> 20} MiB (gzip), CPU-seconds and the most memory of one process:"
        f"\n  ours    {ours[0]:.1f} s, {ours[1] >> 20} MiB"
        f"\n  umoci   {theirs[0]:.1f} s, {theirs[1] >> 20} MiB"
        f"\n  ours to theirs: CPU {ours[0] / theirs[0]:.2f} (to hold: 1.2),"
        f" memory {ours[1] >> 20} MiB (to hold: 64)"
    )


def _layout(tree: Path, folder: Path) -> Layout:
    archive = folder / "layer.tar"
    run(["tar", "--create", f"--file={archive}", "--format=pax", "--xattrs", "-C", tree, "."], timeout=600)
    content = archive.read_bytes()
    archive.unlink()
    made = Layout(folder / "layout")
    made.name(made.image([content]), "latest")
    return made


def _measured(command: list[str | Path]) -> tuple[float, int]:
    """Processor seconds of a program and all that it started, and the most memory in bytes of one of these."""
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    words = [sys.executable, "-c", MEASURE, *command]
    seconds, memory = json.loads(run(words, timeout=3600, environment=environment))
    return seconds, memory


def _same(ours: Path, theirs: Path) -> None:
    found = {path.relative_to(ours): path.lstat() for path in ours.rglob("*")}
    assert len(found) > 1000
    for path in theirs.rglob("*"):
        mine, other = found.pop(path.relative_to(theirs)), path.lstat()
        assert _facts(mine) == _facts(other), path
    assert not found


def _facts(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mode, status.st_uid, status.st_gid, int(status.st_mtime), status.st_nlink
