"""The epoch of the key of tokens: rotated by hand, kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.errors import IntegrityError
from provisioner.trust.tokenepoch import TokenEpoch, WatchedEpoch, read_epoch, rotate


def test_a_site_that_never_rotated_is_in_its_first_epoch(tmp_path: Path) -> None:
    assert read_epoch(tmp_path) == TokenEpoch(1, 0.0)


def test_a_rotation_is_kept_and_leaves_the_epoch_before_it_good(tmp_path: Path) -> None:
    assert rotate(tmp_path, now=50.0) == TokenEpoch(2, 50.0)
    assert read_epoch(tmp_path) == TokenEpoch(2, 50.0)


def test_a_revocation_skips_one_so_that_no_older_token_is_good(tmp_path: Path) -> None:
    assert rotate(tmp_path, now=50.0, revoke=True) == TokenEpoch(3, 50.0)


@pytest.mark.parametrize(
    "text", ["", "3", "{}", '{"number": 0, "since": 0}', '{"number": "x", "since": 1}', "[1, 2]"]
)
def test_a_damaged_file_is_an_error_that_names_the_command_which_mends_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "token-epoch.json").write_text(text)

    with pytest.raises(IntegrityError) as raised:
        read_epoch(tmp_path)
    assert raised.value.hint == "prov keys rotate writes it anew"


def test_a_rotation_mends_a_damaged_file_and_brings_no_old_key_back(tmp_path: Path) -> None:
    (tmp_path / "token-epoch.json").write_text("gone")

    assert rotate(tmp_path, now=1_700_000_000.5).number == 1_700_000_001
    assert read_epoch(tmp_path).number == 1_700_000_001


def test_a_daemon_sees_a_rotation_at_once_and_without_a_restart(tmp_path: Path) -> None:
    watched = WatchedEpoch(tmp_path)
    assert watched() == 1

    rotate(tmp_path, now=1.0)
    assert watched() == 2
    rotate(tmp_path, now=1.0)
    assert watched() == 3


@pytest.mark.parametrize("damage", [lambda file: file.write_text("half a fi"), Path.unlink])
def test_a_daemon_goes_on_with_the_last_epoch_while_the_file_is_damaged_or_gone(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    rotate(tmp_path, now=1.0)
    watched = WatchedEpoch(tmp_path)
    damage(tmp_path / "token-epoch.json")

    assert watched() == 2
    rotate(tmp_path, now=2.0)
    assert watched() == read_epoch(tmp_path).number
