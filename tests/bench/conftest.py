"""The same conditions for ours and for the peer, and a peer that is there: without one a benchmark fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

_LIST = Path(__file__).resolve().parents[2] / "packaging" / "bench-packages.txt"
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


@pytest.fixture(scope="session", autouse=True)
def _peers() -> None:
    lines = [line.split() for line in _LIST.read_text().splitlines() if not line.startswith("#")]
    missing = [words[0] for words in lines if words and shutil.which(words[1], path=_PATH) is None]
    if missing:
        pytest.fail(f"apt-get install --no-install-recommends {' '.join(missing)}", pytrace=False)


@pytest.fixture
def one_core() -> Iterator[None]:
    """Client and server on one core, for small packets.

    To wake another core costs more than to handle one, and whom the kernel bills for that depends on where both
    happen to run. Bulk transfers are steadier on several.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    yield
    os.sched_setaffinity(0, allowed)
