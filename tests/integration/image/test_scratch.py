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


def test_a_tree_with_something_mounted_below_is_not_deleted(tmp_path: Path) -> None:
    mounted, precious = tmp_path / "tree/dev dir", tmp_path / "precious"
    mounted.mkdir(parents=True)
    precious.mkdir()
    (precious / "file").touch()
    bind = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "tree")]

    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", bind, "sh", precious, mounted, *command],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "ConflictError" in done.stderr
    assert "is a mount point" in done.stderr
    assert (precious / "file").exists()
