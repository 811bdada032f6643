"""Worker processes: one that dies or lacks memory is replaced, and what others asked for is done all the same."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.daemon import tasks
from provisioner.daemon.workers import Workers
from provisioner.errors import UnavailableError
from provisioner.overlay.rendered import OverlayKind
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration

# Doubles a list until there is no memory left, within a second.
GREEDY = "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}"


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(count=1)
    yield workers
    workers.close()


def exhausted_at_first(marker: Path) -> int:
    if not marker.exists():
        marker.write_text(str(os.getpid()))
        raise tasks.ExhaustedError("too full")
    return os.getpid()


def always_exhausted() -> None:
    raise tasks.ExhaustedError("too large")


def killed() -> None:
    os._exit(9)


def waiting(fifo: Path) -> str:
    """Waits until somebody writes."""
    return fifo.read_text()


def in_little_memory(paths: Paths, revision: str) -> None:
    """Render in a process that may have 200 MiB more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGESIZE") + (200 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    tasks.overlay(paths, revision, "n1", OverlayKind.SYSTEM, "debian-12@1")


def collected_twice() -> tuple[int, list[float]]:
    """The objects that the collector looks at no more, and the processor's seconds of two full collections."""
    seconds = []
    gc.disable()
    many = [[number] for number in range(1_000_000)]
    for _ in range(2):
        started = time.process_time()
        gc.collect()
        seconds.append(time.process_time() - started)
    return min(len(many), gc.get_freeze_count()), seconds


async def test_a_task_is_tried_again_in_a_new_process_when_one_lacks_memory(
    workers: Workers, tmp_path: Path
) -> None:
    marker = tmp_path / "first"

    second = await workers.run(exhausted_at_first, marker)

    assert second != int(marker.read_text())
    assert await workers.run(os.getpid) == second


async def test_the_process_that_compiles_is_replaced_too(workers: Workers, tmp_path: Path) -> None:
    marker = tmp_path / "first"

    assert await workers.compile(exhausted_at_first, marker) != int(marker.read_text())


async def test_a_task_that_is_too_large_for_a_new_process_fails_and_later_ones_are_done(workers: Workers) -> None:
    with pytest.raises(tasks.ExhaustedError, match="too large"):
        await workers.run(always_exhausted)

    assert await workers.run(os.getpid) > 0


async def test_a_task_that_kills_its_process_fails_and_later_ones_are_done(workers: Workers) -> None:
    with pytest.raises(UnavailableError, match="ended before they were done"):
        await workers.run(killed)

    assert await workers.run(os.getpid) > 0


async def test_what_a_replaced_process_was_given_already_is_still_done(tmp_path: Path) -> None:
    workers, fifo = Workers(count=2), tmp_path / "fifo"
    os.mkfifo(fifo)
    try:
        slow = asyncio.create_task(workers.run(waiting, fifo))
        with pytest.raises(tasks.ExhaustedError):
            await workers.run(always_exhausted)
        await asyncio.to_thread(fifo.write_text, "go")

        assert await slow == "go"
    finally:
        workers.close()


async def test_a_template_that_takes_all_memory_costs_its_own_request(workers: Workers, tmp_path: Path) -> None:
    overlay, nodes = "overlays/greedy/rootfs/etc/x.j2", "nodes: {n1: {overlays: {system: [greedy]}}}\n"
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, overlay: GREEDY, "nodes.d/a.yaml": nodes})
    result = await workers.compile(tasks.compile_revision, paths)
    assert result.revision

    with pytest.raises(tasks.ExhaustedError, match="the system overlay of n1 needs more memory than a worker has"):
        await workers.run(in_little_memory, paths, result.revision)

    assert await workers.run(resource.getrlimit, resource.RLIMIT_AS) == (tasks.MEMORY, tasks.MEMORY)


async def test_the_process_that_compiles_looks_for_garbage_once_among_what_stays(workers: Workers) -> None:
    frozen, (first, second) = await workers.compile(collected_twice)

    assert frozen == 1_000_000
    assert second < first / 2


async def test_processes_that_render_give_everything_back(workers: Workers) -> None:
    frozen, _ = await workers.run(collected_twice)

    assert frozen < 1_000_000
