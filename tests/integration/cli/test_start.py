"""What a command imports before it does anything: people wait for it every time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.host.run import run
from provisioner.registry.compiler import current
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration

HEAVY = ("pydantic", "yaml", "jinja2", "aiohttp", "rich", "asyncio", "provisioner.registry.compilation")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {'n[1-4]': {tags: {a: b}}}\n"})
    paths = Paths.below(tmp_path)
    paths.snapshots.mkdir(parents=True)
    run([sys.executable, "-m", "provisioner", "--root", tmp_path, "node", "list"])
    return paths


def imported(paths: Paths, *words: str) -> set[str]:
    """The modules that a command imports."""
    code = (
        "import sys\nfrom provisioner.cli.main import prov\n"
        f"prov(['--root', {str(paths.site)!r}, *{list(words)!r}], standalone_mode=False)\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    return set(run(["sh", "-c", 'exec "$@" 2>&1 >/dev/null', "sh", sys.executable, "-c", code]).split())


@pytest.mark.parametrize(
    "words",
    [
        ("node", "list"),
        ("node", "list", "--fields", "tags.a,ip", "--format", "json"),
        ("group", "list"),
        ("--help",),
    ],
)
def test_lists_of_an_unchanged_site_import_no_models_and_no_parsers(paths: Paths, words: tuple[str, ...]) -> None:
    assert imported(paths, *words).isdisjoint(HEAVY)


def test_a_node_set_costs_what_expands_it_and_no_more(paths: Paths) -> None:
    found = imported(paths, "node", "list", "n[1-2]")

    assert "ClusterShell.NodeSet" in found
    assert found.isdisjoint(HEAVY)


def test_the_snapshot_that_is_read_is_the_one_that_was_published(paths: Paths) -> None:
    before = {place: place.stat().st_ino for place in paths.snapshots.iterdir()}
    with current(paths) as published:
        assert published.names() == ("n1", "n2", "n3", "n4")

    assert {place: place.stat().st_ino for place in paths.snapshots.iterdir()} == before
