"""The registry: what it costs to read, compile, edit and serve a site, at three sizes."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from provisioner.config.paths import Paths
from provisioner.host.files import write_atomically
from provisioner.operations import live
from provisioner.registry.collect import SourceFile, collect
from provisioner.registry.compiler import compile_files, current, publish
from provisioner.registry.published import Published
from provisioner.registry.schema import snapshot_path
from provisioner.registry.store import follow, read_snapshot
from provisioner.registry.view import SiteView
from tests.bench.make_site import mac_of, make_site
from tests.support.rig import Rig, Server, daemon, rig

pytestmark = [pytest.mark.long, pytest.mark.root]

SITES = (100, 1_000, 10_000)
RUNS = 7
EDITS = 100
_LIST = """\
import sys
from pathlib import Path
from provisioner.config.paths import Paths
from provisioner.registry.compiler import current
print(sum(1 for _ in current(Paths.below(Path(sys.argv[1]))).records()))
"""


def test_reading_compiling_and_editing_cost_so_much(tmp_path: Path) -> None:
    rows = [_costs(make_site(tmp_path / str(count), count), count) for count in SITES]

    print(f"\nRegistry, milliseconds, median of {RUNS} where it is quick:")
    _table(rows)


def test_an_edit_is_served_after_so_long(tmp_path: Path) -> None:
    rows = []
    for count in SITES:
        paths = make_site(tmp_path / str(count), count)
        with rig() as place:
            cold = _start_seconds(place, paths)
            started = time.monotonic()
            with daemon(place.home, paths) as server:
                warm = time.monotonic() - started
                rows.append(
                    {"nodes": count, "start, nothing compiled": cold, "start again": warm} | _edits(paths, server)
                )

    print(f"\nThe daemon: start in seconds, an edit to effective in ms ({EDITS} edits each), memory in MiB:")
    _table(rows)


def _costs(paths: Paths, count: int) -> dict[str, Any]:
    paths.state.mkdir()
    files = collect(paths)
    whole, seconds = _timed(lambda: compile_files(paths, files, None))
    assert whole.problems == ()
    published = publish(paths, whole)
    edited = _with_other_mac(files, 1, count + 1)
    view = SiteView(files, published)
    node = "n00001"
    row = {
        "nodes": count,
        "files": len(files),
        "collect": _milliseconds(lambda: collect(paths)),
        "full compile": seconds * 1000,
        "unchanged": _milliseconds(lambda: current(paths).close()),
        "edit: compile": _milliseconds(lambda: compile_files(paths, edited, published)),
        "edit: publish": _milliseconds(lambda: publish(paths, whole)),
        "explain a node": _milliseconds(lambda: view.resolve([node])),
        "whole snapshot": _milliseconds(lambda: read_snapshot(paths, whole.revision), runs=1),
        "list in a new process": _milliseconds(lambda: _list(paths, count)),
        "file, KiB": snapshot_path(paths, whole.revision).stat().st_size >> 10,
    }
    edit = publish(paths, compile_files(paths, edited, published))
    old = read_snapshot(paths, whole.revision)
    row["follow an edit"] = _milliseconds(lambda: follow(paths, old, edit.revision))
    assert list(Published.open(paths, edit.revision).changes_since(published)) == [node]
    row["memory, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return row


def _with_other_mac(files: Any, number: int, other: int) -> dict[str, SourceFile]:
    """Collected files with the MAC of one node changed."""
    key = next(key for key, each in files.items() if str(mac_of(number)).encode() in each.content)
    content = files[key].content.replace(str(mac_of(number)).encode(), str(mac_of(other)).encode())
    return {**files, key: SourceFile(files[key].kind, files[key].mode, content)}


def _edits(paths: Paths, server: Server) -> dict[str, Any]:
    _edit(paths, 0)
    assert live.reload(paths)
    spent = server.cpu_seconds()
    asked = sorted(_effective(paths, number, _reloaded) for number in range(1, EDITS + 1))
    spent = server.cpu_seconds() - spent
    noticed = sorted(_effective(paths, number, _noticed) for number in range(EDITS + 1, 2 * EDITS + 1))
    memory = list(server.memory().values())
    return {
        "asked: p50": median(asked) * 1000,
        "p99": asked[-2] * 1000,
        "processor": spent * 1000 / EDITS,
        "noticed: p50": median(noticed) * 1000,
        "p99 ": noticed[-2] * 1000,
        "memory, all processes": sum(memory) >> 20,
        "memory, front": memory[0] >> 20,
    }


def _effective(paths: Paths, number: int, wait: Callable[[Paths, str], None]) -> float:
    before = (live.status(paths) or {})["revision"]
    started = time.monotonic()
    _edit(paths, number)
    wait(paths, before)
    return time.monotonic() - started


def _edit(paths: Paths, number: int) -> None:
    """Give the first node of some rack a MAC of its own."""
    racks = sorted(paths.node_files.iterdir())
    path = racks[number % len(racks)]
    lines = path.read_text().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if '"52:54:' in line)
    start = lines[first].index('"52:54:')
    lines[first] = (
        f'{lines[first][:start]}"52:54:ff:00:{number >> 8:02x}:{number & 255:02x}"{lines[first][start + 19 :]}'
    )
    write_atomically(path, "".join(lines).encode())


def _reloaded(paths: Paths, before: str) -> None:
    answer = live.reload(paths)
    assert answer is not None
    assert answer["revision"] != before


def _noticed(paths: Paths, before: str) -> None:
    deadline = time.monotonic() + 30
    while (live.status(paths) or {})["revision"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _start_seconds(place: Rig, paths: Paths) -> float:
    started = time.monotonic()
    with daemon(place.home, paths):
        return time.monotonic() - started


def _list(paths: Paths, count: int) -> None:
    done = subprocess.run([sys.executable, "-c", _LIST, paths.site], check=True, capture_output=True, text=True)
    assert int(done.stdout) == count


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.monotonic()
    return work(), time.monotonic() - started


def _milliseconds(work: Callable[[], object], runs: int = RUNS) -> float:
    return median(_timed(work)[1] for _ in range(runs)) * 1000


def _table(rows: list[dict[str, Any]]) -> None:
    for name in rows[0]:
        cells = (f"{row[name]:>12.2f}" if isinstance(row[name], float) else f"{row[name]:>12}" for row in rows)
        print(f"  {name:<24}{''.join(cells)}")
