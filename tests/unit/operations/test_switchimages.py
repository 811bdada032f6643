"""What switches name is in use: neither deleted nor collected until they are over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provisioner.config.paths import Paths
from provisioner.config.switchfile import switch_text
from provisioner.errors import ConfigError, ConflictError
from provisioner.image import store
from provisioner.model.switch import Switch, SwitchState
from provisioner.operations import imagegc, imagestore
from provisioner.operations.imageuse import image_use
from tests.support.bootable import bootable
from tests.support.imagestore import generation, let_age

OPEN = [state for state in SwitchState if not state.is_over]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Nodes boot `demo`; nobody but a switch needs the old generations of `rocky` and `centos`."""
    paths = bootable(tmp_path)
    for name in ("rocky", "centos"):
        generation(paths, name, b"first")
        generation(paths, name, b"second")
    let_age(paths)
    return paths


def switch(paths: Paths, state: SwitchState, **fields: Any) -> None:
    given = {"to": "rocky@1", "nodes": "n[1-3]", "from": {"centos@1": "n[1-3]"}, "state": state, **fields}
    paths.switch_files.mkdir(exist_ok=True)
    (paths.switch_files / "s.yaml").write_text(switch_text("s", Switch.model_validate(given)))


def collected(paths: Paths) -> set[str]:
    return {each.name for each in imagegc.plan(paths, keep=1, days=0).gone}


def test_without_a_switch_both_would_go(paths: Paths) -> None:
    assert collected(paths) == {"rocky@1", "centos@1"}


@pytest.mark.parametrize("state", OPEN)
def test_where_a_switch_goes_to_and_comes_from_stays_until_it_is_over(paths: Paths, state: SwitchState) -> None:
    switch(paths, state)

    assert collected(paths) == set()
    reasons = {each.name: reason for each, reason in imagegc.plan(paths, keep=1, days=0).kept}
    assert reasons["centos@1"] == reasons["rocky@1"] == "named by switch s"


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize("name", ["rocky@1", "centos@1"])
def test_neither_can_be_deleted_until_it_is_over(paths: Paths, state: SwitchState, name: str) -> None:
    switch(paths, state)

    with pytest.raises(ConflictError, match=f"{name} is named by switch s"):
        imagestore.deletable(paths, name)


@pytest.mark.parametrize("state", [SwitchState.FINISHED, SwitchState.UNDONE])
def test_a_switch_that_is_over_keeps_nothing(paths: Paths, state: SwitchState) -> None:
    switch(paths, state)

    assert collected(paths) == {"rocky@1", "centos@1"}


def test_what_an_undone_switch_holds_nodes_to_stays(paths: Paths) -> None:
    switch(paths, SwitchState.UNDONE, images={"centos@1": "n[2-3]"})

    assert collected(paths) == {"rocky@1"}
    assert image_use(paths, store.catalogue(paths)).of("centos@1") == "assigned to n[2-3]"


def test_a_switch_that_cannot_be_read_lets_nothing_be_collected(paths: Paths) -> None:
    paths.switch_files.mkdir()
    (paths.switch_files / "s.yaml").write_text("to: rocky@1\nnodes: n[1\n")

    with pytest.raises(ConfigError, match=r"switches\.d/s\.yaml:2"):
        imagegc.plan(paths, keep=1, days=0)
