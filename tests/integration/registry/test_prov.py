"""The real command on real files, from an empty folder to a site that compiles."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.operations.check import check, compile_site
from provisioner.registry.store import read_current, read_node
from tests.support.site import catalogue_of

pytestmark = pytest.mark.integration

TEN = Path(__file__).parents[2] / "golden/check/ten-mistakes"


def prov(root: Path, *words: str) -> str:
    return run([sys.executable, "-m", "provisioner", "--root", root, *words], timeout=60)


def test_a_site_grows_from_an_empty_folder(tmp_path: Path) -> None:
    prov(tmp_path, "init", "--cluster", "demo", "--network", "10.0.0.0/16", "--server", "10.0.0.1")
    prov(tmp_path, "group", "add", "compute", "--yes", "--kernel-arg", "console=ttyS0")
    prov(tmp_path, "node", "add", "n[001-004]", "--yes", "--group", "compute", "--ip", "10.0.1.1+")
    prov(tmp_path, "node", "set", "n001", "--yes", "--mac", "52:54:00:00:00:01")

    assert prov(tmp_path, "check").startswith("ok: 4 nodes, 1 groups")
    compiled = compile_site(Paths.below(tmp_path), catalogue_of())
    assert read_current(Paths.below(tmp_path)) == compiled.revision
    node = read_node(Paths.below(tmp_path), compiled.revision, "n001")
    assert node is not None
    assert (node.kernel_args, node.primary) == (("console=ttyS0",), "eth0")


def test_ten_mistakes_are_named_and_the_status_is_1(tmp_path: Path) -> None:
    site = shutil.copytree(TEN, tmp_path / "site")

    with pytest.raises(CommandError) as caught:
        prov(site, "check")

    assert caught.value.status == 1
    assert caught.value.output == (TEN / "expected.txt").read_text().rstrip()


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    prov(tmp_path, "init", "--cluster", "demo", "--network", "10.0.0.0/16")

    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda number: prov(tmp_path, "node", "add", f"n{number}", "--yes", "--ip", "10.0.1.1+"),
                range(1, 9),
            )
        )

    assert len(check(Paths.below(tmp_path), catalogue_of()).snapshot.nodes) == 8
