"""A site with nothing wrong, for each test to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ward import Ward


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    return Ward(tmp_path)
