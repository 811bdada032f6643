"""A tree with a busybox and nothing else: the smallest image in which programs run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

FOLDERS = ("bin", "etc", "root", "proc", "sys", "dev", "run", "tmp")


def tree(root: Path, *, folders: tuple[str, ...] = FOLDERS) -> Path:
    """Make the tree, with every program that busybox has."""
    for name in ("bin", *folders):
        (root / name).mkdir(parents=True, exist_ok=True)
    program = shutil.which("busybox")
    assert program is not None
    shutil.copy2(program, root / "bin/busybox")
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    for name in set(listed.stdout.split()) - {"busybox"}:
        (root / "bin" / name).symlink_to("busybox")
    return root


def everything(root: Path) -> dict[str, tuple[int, int]]:
    """Every entry of a tree by its path, with its mode and its time, to tell whether anything was touched."""
    found = {}
    for path in [root, *root.rglob("*")]:
        stat = path.lstat()
        found[str(path)] = (stat.st_mode, stat.st_mtime_ns)
    return found
