from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.image import journal


def test_lines_come_back_in_their_order_with_who_and_when(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal.append(file, "made", 1)
    journal.append(file, "tagged", 1, before=2, detail="prod")

    first, second = journal.read(file)

    assert (first.what, first.number, first.detail) == ("made", 1, "")
    assert (second.what, second.before, second.detail) == ("tagged", 2, "prod")
    assert first.who
    assert 0 < first.time <= second.time


def test_an_image_without_a_journal_has_an_empty_one(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "none") == ()


@pytest.mark.parametrize("kept", [1, 2, 40, -2, -1])
def test_a_line_that_was_cut_short_takes_no_other_with_it(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "journal.jsonl"
    journal.append(file, "made", 1)
    first = file.read_bytes()
    journal.append(file, "tagged", 1, detail="prod")
    second = file.read_bytes()[len(first) :]
    file.write_bytes(first + second[:kept])
    journal.append(file, "pinned", 1)

    found = [entry.what for entry in journal.read(file)]

    assert found in (["made", "pinned"], ["made", "tagged", "pinned"])
    assert (len(found) == 3) == (kept == -1)
