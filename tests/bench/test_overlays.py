"""Overlays: processor time to render one node, and whether it grows with the number of nodes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.image.store import catalogue
from provisioner.operations.check import check
from provisioner.overlay.context import context_for
from provisioner.overlay.rendered import pack, render_tree
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect
from provisioner.render.environment import Renderer
from provisioner.trust.sitekey import SiteKey
from tests.support.daemon import add_generation
from tests.support.rig import address_of, name_of, write_nodes

pytestmark = [pytest.mark.long]

SITES = (100, 1_000, 10_000)
SAMPLE = 10
OWN = ("hostname", "network", "ssh", "agent")


def test_a_node_costs_so_much_in_sites_of_these_sizes(tmp_path: Path) -> None:
    print(f"\nOverlays, milliseconds a node ({SAMPLE} nodes rendered and packed):")
    print(f"  {'nodes':>6}{'own files only':>16}{'with hosts':>12}{'all nodes, one core':>22}")
    for count in SITES:
        paths = Paths.below(tmp_path / str(count))
        write_nodes(paths, count)
        add_generation(paths)
        own, every = _milliseconds(paths, count, OWN), _milliseconds(paths, count, (*OWN, "hosts"))
        print(f"  {count:>6}{own:>13.2f} ms{every:>9.2f} ms{every * count / 1000:>20.1f} s")


def _milliseconds(paths: Paths, count: int, names: Sequence[str]) -> float:
    snapshot = check(paths, catalogue(paths)).snapshot
    written, renderer, key = WrittenFiles(collect(paths)), Renderer(), SiteKey(b"k" * 32)
    nodes = [snapshot.nodes[name_of(number)] for number in range(1, SAMPLE + 1)]
    # The first one compiles the templates.
    pack(render_tree(written, names, context_for(snapshot, nodes[0], key), renderer))
    started = time.process_time()
    archives = [pack(render_tree(written, names, context_for(snapshot, node, key), renderer)) for node in nodes]
    seconds = time.process_time() - started
    assert all(node.name.encode() in each.archive for node, each in zip(nodes, archives, strict=True))
    assert ("hosts" in names) == (str(address_of(count)).encode() + b" n" in archives[0].archive)
    return seconds * 1000 / SAMPLE
