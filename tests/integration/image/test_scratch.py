"""The guard against deleting through a mount, with a real mount in a mount namespace of the test's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("unshare", "mount")]

SCRIPT = """
import sys
from pathlib import Path
from provisioner.image.scratch import remove
remove(Path(sys.argv[1]))
"""


def removed(folder: Path, precious: Path, mounted: Path) -> subprocess.CompletedProcess[str]:
    """Try to remove a folder while something precious is mounted in it."""
    bind = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", bind, "sh", precious, mounted, *command],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_tree_with_something_mounted_below_is_not_deleted(tmp_path: Path) -> None:
    mounted, precious = tmp_path / "tree/dev dir", tmp_path / "precious"
    mounted.mkdir(parents=True)
    precious.mkdir()
    (precious / "file").touch()

    done = removed(tmp_path / "tree", precious, mounted)

    assert "ConflictError" in done.stderr
    assert "is a mount point" in done.stderr
    assert (precious / "file").exists()


def test_a_mount_is_found_behind_a_link_to_the_store_and_a_strange_name(tmp_path: Path) -> None:
    mounted, precious = tmp_path / "data/tree/a\tb\\c", tmp_path / "precious"
    mounted.mkdir(parents=True)
    precious.mkdir()
    (precious / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "data")

    done = removed(tmp_path / "link/tree", precious, mounted)

    assert "is a mount point" in done.stderr
    assert (precious / "file").exists()
