"""The command line at 10,000 nodes: how long a person waits."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import pytest

from provisioner.config.paths import Paths
from provisioner.host.run import run
from provisioner.lab.daemon import prov
from tests.support.daemon import add_generation
from tests.support.rig import write_nodes

pytestmark = [pytest.mark.long]

NODES = 10_000
RUNS = 3
# Commands, and what their output must contain.
_COMMANDS = {("--help",): "Usage: ", ("node", "list"): f"n{NODES:05}", ("check",): f"{NODES} nodes"}


def test_a_person_waits_so_long(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    write_nodes(paths, NODES)
    add_generation(paths)

    print(f"\nCommands at {NODES} nodes, wall seconds, first run and median of {RUNS} more, each a new process:")
    for words, wanted in _COMMANDS.items():
        took = [_seconds(paths, words, wanted) for _ in range(RUNS + 1)]
        print(f"  prov {' '.join(words):<12}{took[0]:>8.2f} s{median(took[1:]):>8.2f} s")


def _seconds(paths: Paths, words: tuple[str, ...], wanted: str) -> float:
    started = time.monotonic()
    printed = run(prov(paths, *words))
    seconds = time.monotonic() - started
    assert wanted in printed
    return seconds
