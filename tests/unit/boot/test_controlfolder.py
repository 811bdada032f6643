"""Orders on the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.boot.controlfolder import FOLDER, ControlFolder
from provisioner.errors import IntegrityError
from provisioner.model.bootcontrol import NOTHING, Control, Fallback, Once

FULL = Control(
    Once("debian-12@1", 100.5, "root", ("b1", "b2"), 200.25), Fallback("debian-12@2", "debian-12@1", 50.0, 3), 7.0
)


def test_what_is_kept_is_read_again_by_another_process(tmp_path: Path) -> None:
    ControlFolder(tmp_path).change("n001", lambda _: FULL)

    assert ControlFolder(tmp_path).read("n001") == FULL
    assert ControlFolder(tmp_path).all() == {"n001": FULL}


def test_nothing_holds_for_a_node_that_nobody_spoke_of(tmp_path: Path) -> None:
    assert ControlFolder(tmp_path).read("n001") == NOTHING
    assert ControlFolder(tmp_path).all() == {}


def test_a_node_that_nothing_holds_for_any_more_has_no_file(tmp_path: Path) -> None:
    folder = ControlFolder(tmp_path)
    folder.change("n001", lambda _: FULL)

    folder.change("n001", lambda _: NOTHING)

    assert [each.name for each in (tmp_path / FOLDER).iterdir()] == [".lock"]


def test_a_change_is_made_of_what_holds_then(tmp_path: Path) -> None:
    folder = ControlFolder(tmp_path)
    folder.change("n001", lambda _: FULL)

    after = folder.change("n001", lambda control: replace(control, once=None))

    assert after == folder.read("n001") == replace(FULL, once=None)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"once": {"what": 1}}', "\0", '{"once": 3, "fallback": null}'])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "n001.json").write_text(text)

    with pytest.raises(IntegrityError) as caught:
        ControlFolder(tmp_path).read("n001")

    assert "boot-control/n001.json" in caught.value.message
