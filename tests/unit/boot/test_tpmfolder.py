"""What is known of TPMs, on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.boot.tpmfolder import FOLDER, TpmFolder
from provisioner.errors import IntegrityError
from provisioner.model.tpm import UNKNOWN_TPM, Enrolment, KnownTpm, Shown

REGISTERS = {0: "00", 9: "99"}
FULL = KnownTpm(Enrolment("a" * 64, REGISTERS, "root", 5.5), Shown("b" * 64, REGISTERS, "b1", 6.5), "another one")


@pytest.mark.parametrize("known", [FULL, KnownTpm(FULL.enrolled), KnownTpm(shown=FULL.shown)])
def test_what_is_kept_is_read_again_by_another_process(tmp_path: Path, known: KnownTpm) -> None:
    TpmFolder(tmp_path).change("n001", lambda _: known)

    assert TpmFolder(tmp_path).read("n001") == known
    assert TpmFolder(tmp_path).all() == {"n001": known}


def test_nothing_is_known_of_a_node_that_nobody_spoke_of(tmp_path: Path) -> None:
    assert TpmFolder(tmp_path).read("n001") == UNKNOWN_TPM
    assert TpmFolder(tmp_path).all() == {}


def test_what_is_forgotten_has_no_file(tmp_path: Path) -> None:
    folder = TpmFolder(tmp_path)
    folder.change("n001", lambda _: FULL)

    folder.change("n001", lambda _: UNKNOWN_TPM)

    assert [each.name for each in (tmp_path / FOLDER).iterdir()] == [".lock"]


@pytest.mark.parametrize("text", ["", "{}", "[]", "1", '{"enrolled": {"key": 1}, "shown": null, "refusal": ""}'])
def test_a_file_that_is_damaged_is_named_and_never_taken_for_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "n001.json").write_text(text)

    with pytest.raises(IntegrityError, match=r"n001\.json: it is not what was written"):
        TpmFolder(tmp_path).read("n001")
