"""A million hostile byte streams on real connections to the real HTTP server, in two processes."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random

import pytest

from tests.support.corpus import variations
from tests.support.httpfuzz import bombard, requests, sent, serving

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

MILLION = 1_000_000
SEED = 20_177
GOOD = b"GET /autoexec.ipxe HTTP/1.1\r\nHost: head\r\n\r\n"
_PROCESSES = 2


def test_a_million_streams_leave_the_server_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes: Counter[str] = Counter()
    with ProcessPoolExecutor(_PROCESSES, get_context("spawn")) as pool:
        seeds = range(SEED, SEED + _PROCESSES)
        for part, logged in pool.map(partial(_half, tmp_path), seeds):
            outcomes += part
            assert logged == []

    assert outcomes.total() == MILLION
    assert not {status for status in outcomes if status.startswith("5")}
    with capsys.disabled():
        print(f"\nHTTP: {MILLION} streams from seed {SEED}: {dict(outcomes.most_common())}")


class _Kept(logging.Handler):
    """Every warning, error and traceback."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.WARNING:
            self.texts.append(record.getMessage())


def _half(folder: Path, seed: int) -> tuple[Counter[str], list[str]]:
    kept = _Kept()
    logging.getLogger().addHandler(kept)
    return asyncio.run(_bombarded(folder / str(seed), seed)), kept.texts


async def _bombarded(folder: Path, seed: int) -> Counter[str]:
    folder.mkdir()
    async with serving(folder) as served:
        inputs = islice(variations(requests(), Random(seed)), MILLION // _PROCESSES)
        outcomes = await bombard(served.port, inputs)
        assert await sent(served.port, GOOD, seconds=30) == "200"
    return outcomes
