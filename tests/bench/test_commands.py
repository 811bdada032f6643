"""The command line at 100, 1,000 and 10,000 nodes: how long a person waits, program start included."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import pytest

from provisioner.config.paths import Paths
from provisioner.host.run import run
from provisioner.lab.daemon import prov
from tests.bench.make_site import FILES, make_site

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

SIZES = (100, 1_000, 10_000)
RUNS = 5
DOCUMENT = "changes.yaml"

# Commands and what they print; {run} differs from run to run, so that every one of them changes something.
_COMMANDS: tuple[tuple[str, str], ...] = (
    ("--help", "Usage: "),
    ("check", "ok: "),
    ("node list", "n00001"),
    ("node list --format json", "n00001"),
    ("node list --where tags.rack=r001", "n00001"),
    ("node list @compute", "n00001"),
    ("node show n00001", "eth0"),
    ("group list", "compute"),
    ("group show compute", "count"),
    ("node set n00001 tags.run={run} --yes", "wrote"),
    ("node add m{run} interfaces.eth0.network=provision --yes", "wrote"),
    ("node rename m{run} k{run} --yes", "wrote"),
    ("node delete k{run} --yes", "wrote"),
    ("node set @rack:r001 tags.run=r{run} --yes", "wrote"),
    ("group set compute tags.run={run} --yes", "wrote"),
    (f"apply {DOCUMENT} --yes", "wrote"),
    ("undo --yes", "wrote"),
    ("node export", "nodes:"),
)


def test_a_person_waits_so_long(tmp_path: Path) -> None:
    sites = [make_site(tmp_path / str(size), size, max(1, FILES * size // SIZES[-1])) for size in SIZES]

    for paths in sites:
        # What `prov init` makes; a site without state is compiled again by every command.
        paths.state.mkdir()

    print(f"\nCommands, wall seconds, median of {RUNS} runs, each a new process:")
    print(f"  {'nodes':<64}" + "".join(f"{size:>10}" for size in SIZES))
    for words, wanted in _COMMANDS:
        took = [_median(paths, words, wanted) for paths in sites]
        print(f"  prov {words:<59}" + "".join(f"{seconds:>10.2f}" for seconds in took))


def _median(paths: Paths, words: str, wanted: str) -> float:
    return median(_seconds(paths, words, wanted, str(number)) for number in range(1, RUNS + 1))


def _seconds(paths: Paths, words: str, wanted: str, number: str) -> float:
    document = paths.site / DOCUMENT
    document.write_text(
        f"nodes:\n  n00001: {{tags: {{apply: a{number}}}}}\n  n00002: {{tags: {{apply: a{number}}}}}\n"
    )
    given = [str(document) if word == DOCUMENT else word for word in words.replace("{run}", number).split()]
    started = time.monotonic()
    printed = run(prov(paths, *given))
    seconds = time.monotonic() - started
    assert wanted in printed
    return seconds
