"""What the program imports to check a site that has not changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from tests.support.site import SITE

pytestmark = pytest.mark.integration

_CHECK = """\
import sys
from pathlib import Path
from provisioner.config.paths import Paths
from provisioner.image.store import catalogue
from provisioner.operations.check import check

paths = Paths.below(Path(sys.argv[1]))
print(*check(paths, catalogue(paths)).published.names())
print("jinja2" in sys.modules, "provisioner.registry.compilation" in sys.modules)
"""


def test_an_unchanged_site_is_checked_without_templates_and_without_compiling(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)
    paths.state.mkdir()
    paths.node_files.mkdir()
    paths.site_file.write_text(SITE)
    (paths.node_files / "a.yaml").write_text("nodes: {n1: }\n")
    command = [sys.executable, "-c", _CHECK, str(tmp_path)]

    first, second = (subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(2))

    assert first.stdout.splitlines() == ["n1", "True True"]
    assert second.stdout.splitlines() == ["n1", "False False"]
