from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.lab.process import Identity
from provisioner.lab.state import LabState, state_file


def ourselves() -> Identity:
    identity = Identity.of(os.getpid())
    assert identity is not None
    return identity


def test_a_running_process_is_itself() -> None:
    assert ourselves().alive()


def test_a_process_with_the_same_number_but_another_start_is_another_one() -> None:
    assert not replace(ourselves(), started=ourselves().started - 1).alive()


def test_no_process_has_an_identity_that_does_not_exist() -> None:
    assert Identity.of(1 << 22) is None


def test_a_lab_is_found_by_what_it_left(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)
    state = LabState(ourselves(), Identity(1, 1), "/logs")

    state.write(paths)

    assert LabState.read(paths) == state


def test_a_lab_whose_supervisor_is_gone_is_none(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)

    assert LabState.read(paths) is None
    LabState(Identity(1 << 22, 1), Identity(1, 1), "/logs").write(paths)
    assert LabState.read(paths) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"supervisor": 1}'])
def test_a_damaged_state_file_is_named(tmp_path: Path, content: str) -> None:
    paths = Paths.below(tmp_path)
    paths.run.mkdir()
    state_file(paths).write_text(content)

    with pytest.raises(UnavailableError, match="is not what a lab leaves"):
        LabState.read(paths)
