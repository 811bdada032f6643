"""Who is behind a command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.host.who import name_of, who

NOBODY = 65534
UNKNOWN = 3_999_999_999


def login(folder: Path, text: str) -> Path:
    path = folder / "loginuid"
    path.write_text(text)
    return path


def test_behind_sudo_it_is_who_called_sudo(tmp_path: Path) -> None:
    assert who({"SUDO_USER": "ada"}, 0, login(tmp_path, str(NOBODY))) == "ada"


def test_who_is_not_root_cannot_say_that_sudo_was_another(tmp_path: Path) -> None:
    assert who({"SUDO_USER": "ada"}, NOBODY, login(tmp_path, "4294967295")) == name_of(NOBODY)


def test_after_su_it_is_still_who_logged_in(tmp_path: Path) -> None:
    assert who({}, 0, login(tmp_path, f"{NOBODY}\n")) == name_of(NOBODY)


@pytest.mark.parametrize("text", ["4294967295", "", "none"])
def test_where_nobody_logged_in_it_is_the_user_of_the_process(tmp_path: Path, text: str) -> None:
    assert who({}, 0, login(tmp_path, text)) == "root"
    assert who({}, 0, tmp_path / "missing") == "root"


def test_a_user_without_a_name_is_shown_by_number() -> None:
    assert name_of(UNKNOWN) == f"uid {UNKNOWN}"


def test_it_needs_nothing_to_be_said() -> None:
    assert who() in {name_of(os.geteuid()), os.environ.get("SUDO_USER"), who({})}
