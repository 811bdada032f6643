"""The peers have to be there: a benchmark without one fails, and says what to type."""

from __future__ import annotations

import os
import shutil
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
