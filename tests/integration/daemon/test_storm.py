from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.storm import storm

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ip")]


def test_fifty_nodes_boot_at_once_and_none_fails_for_good(tmp_path: Path) -> None:
    storm(tmp_path, 50)
