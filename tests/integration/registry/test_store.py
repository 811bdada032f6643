"""Compiled snapshots as files: what lies beside them, who may read them, and what a command has to import."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.registry.compiler import current
from provisioner.registry.store import read_snapshot
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration

NODES = "nodes:\n  n[1-3]: {tags: {rack: r1}, interfaces: {eth0: {ip: 10.0.1.1+}}}\n"
_NOBODY = 65534
_LIST = """\
import sys
from pathlib import Path
from dataclasses import replace
from provisioner.config.paths import Paths
from provisioner.registry.compiler import current

paths = replace(Paths.below(Path(sys.argv[1])), data=Path(sys.argv[1]) / "data")
print(*(record["name"] for record in current(paths).records()))
print(*sorted({"pydantic", "yaml", "ClusterShell", "jinja2"} & sys.modules.keys()))
"""


def site(folder: Path) -> Paths:
    paths = write_site(folder, {"provisioner.yaml": SITE, "nodes.d/a.yaml": NODES})
    paths.state.mkdir()
    return paths


def test_reading_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    paths = site(tmp_path)
    revision = current(paths).revision

    read_snapshot(paths, revision)

    assert [place.name for place in paths.snapshots.iterdir()] == [f"{revision}.sqlite"]


def test_nodes_of_unchanged_files_are_listed_without_models_yaml_and_node_sets(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LIST, str(site(tmp_path).site)]

    first, second = (subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(2))

    assert first.stdout.splitlines() == ["n1 n2 n3", "ClusterShell pydantic yaml"]
    assert second.stdout.splitlines() == ["n1 n2 n3", ""]


@contextmanager
def nobody() -> Iterator[None]:
    """Have no rights for a while."""
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.root
@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_who_may_not_write_the_state_or_not_even_read_it_can_look_at_the_site(mode: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        paths = site(Path(name))
        if mode == 0o700:
            current(paths)
        paths.state.chmod(mode)

        with nobody():
            assert current(paths).names() == ("n1", "n2", "n3")

        assert list(paths.state.rglob("*.sqlite")) == ([] if mode == 0o755 else list(paths.snapshots.iterdir()))
