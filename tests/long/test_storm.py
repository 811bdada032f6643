from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.storm import storm

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.needs("ip"), pytest.mark.timeout(600)]


def test_five_hundred_nodes_boot_at_once_and_none_fails_for_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = storm(tmp_path, 500)

    with capsys.disabled():
        print(result.table())
