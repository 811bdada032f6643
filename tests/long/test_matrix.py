"""Every firmware with every kind of root."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.realsite import RealSite, image_store
from tests.support.rootmatrix import boot_cell, cells, lines

pytestmark = [
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.needs("qemu-system-x86_64", "ip"),
    pytest.mark.timeout(3000),
]


def test_every_firmware_boots_every_kind_of_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RealSite.make(tmp_path / "site", image_store()) as site:
        found = [boot_cell(site, firmware, kind) for firmware, kind in cells()]

    with capsys.disabled():
        print("\n".join(["", *lines(found)]))
    assert [(cell.firmware, cell.kind) for cell in found if cell.state != "ready"] == []
