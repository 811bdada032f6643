"""Many people and programs change one site at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.operations.check import check
from provisioner.registry.compiler import current
from provisioner.registry.history import changes
from tests.support.site import SITE, catalogue_of, write_site

pytestmark = pytest.mark.integration

WRITERS = 50
NODES = "# By hand.\nnodes:\n  # A rack.\n  n[1-50]: {interfaces: {eth0: {ip: 10.0.1.1+}}}\n"


@pytest.mark.timeout(600)
def test_fifty_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": NODES})
    prov = [sys.executable, "-m", "provisioner", "--root", str(tmp_path)]

    writers = [
        subprocess.Popen(
            [*prov, "node", "set", f"n{number}", f"tags.own=t{number}", "--yes"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(1, WRITERS + 1)
    ]
    said = [writer.communicate()[1] for writer in writers]

    assert [(writer.returncode, text) for writer, text in zip(writers, said, strict=True)] == [(0, "")] * WRITERS
    assert check(paths, catalogue_of()).revision
    with current(paths) as published:
        tags = {record["name"]: record["tags"] for record in published.records()}
    assert tags == {f"n{number}": {"own": f"t{number}"} for number in range(1, WRITERS + 1)}
    assert (paths.node_files / "n.yaml").read_text().startswith(NODES)
    assert len(changes(paths, limit=1000)) == WRITERS
