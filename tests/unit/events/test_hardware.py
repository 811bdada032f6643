"""What machines are, kept by hardware address."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import IntegrityError, NotFoundError
from provisioner.events import hardware
from provisioner.events.hardware import HardwareFolder

MAC = "52:54:00:00:00:01"


def test_what_a_machine_told_is_read_under_any_spelling_of_its_address(tmp_path: Path) -> None:
    HardwareFolder(tmp_path).write(MAC, {"cpu_threads": "2"})

    assert HardwareFolder(tmp_path).read("52-54-00-00-00-01") == {"cpu_threads": "2"}


def test_the_same_again_writes_nothing(tmp_path: Path) -> None:
    folder = HardwareFolder(tmp_path)
    folder.write(MAC, {"a": "1"})
    before = (tmp_path / "52-54-00-00-00-01.json").stat().st_ino

    folder.write(MAC, {"a": "1"})
    assert (tmp_path / "52-54-00-00-00-01.json").stat().st_ino == before

    folder.write(MAC, {"a": "2"})
    assert folder.read(MAC) == {"a": "2"}


def test_a_machine_that_told_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        HardwareFolder(tmp_path).read(MAC)


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "52-54-00-00-00-01.json").write_text("{")

    with pytest.raises(IntegrityError, match="52-54-00-00-00-01"):
        HardwareFolder(tmp_path).read(MAC)


def test_a_flood_of_machines_takes_the_room_of_machines_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "MOST", 5)
    folder = HardwareFolder(tmp_path)

    for number in range(20):
        folder.write(f"52:54:00:00:00:{number:02x}", {"a": "1"})

    assert len(list(tmp_path.iterdir())) == 5
