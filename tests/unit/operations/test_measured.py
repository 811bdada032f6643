"""The registers of a TPM, as a boot told them, beside those of the boot before."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.events.store import EventStore
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Stage
from provisioner.operations.measured import Measured, measured


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path)


def booted(paths: Paths, number: int, **registers: str) -> tuple[BootRecord, list[Event]]:
    """Boot number N of n001, kept, whose stage 1 told these registers."""
    name, opened = f"b{number}", 100.0 * number
    record = BootRecord(name, "n001", "m", "d@1", "ab", opened, TokenStage.SYSTEM, "ready", opened)
    data = {"memory": "1", **registers}
    told = Event(opened, Stage.STAGE1, "stage1.started", "x", node="n001", boot=name, data=data)
    store = EventStore(paths.events)
    store.save_boot(record)
    store.record(told)
    store.close()
    return record, [told]


def test_a_machine_without_a_tpm_measured_nothing(paths: Paths) -> None:
    assert measured(paths, *booted(paths, 1)) is None


def test_the_first_boot_has_nothing_to_be_compared_with(paths: Paths) -> None:
    found = measured(paths, *booted(paths, 1, pcr0="AB" * 32, pcr4="cd" * 32, other="x"))

    assert found == Measured({0: "ab" * 32, 4: "cd" * 32}, None, ())
    assert str(found) == "PCR 0 abababab, 4 cdcdcdcd"


def test_what_differs_from_the_boot_before_is_named(paths: Paths) -> None:
    booted(paths, 1, pcr0="aa", pcr4="bb", pcr9="cc")
    booted(paths, 2)
    found = measured(paths, *booted(paths, 3, pcr0="aa", pcr4="bx", pcr9="cx"))

    assert str(found) == "PCR 0 aa, 4 bx, 9 cx; 4, 9 not as in boot b1"
    assert found is not None
    assert found.record() == {"registers": {"0": "aa", "4": "bx", "9": "cx"}, "before": "b1", "changed": [4, 9]}


def test_a_boot_that_measured_the_same_says_so(paths: Paths) -> None:
    booted(paths, 1, pcr0="aa")

    assert str(measured(paths, *booted(paths, 2, pcr0="aa"))) == "PCR 0 aa; all as in boot b1"


def test_a_later_boot_is_no_boot_before(paths: Paths) -> None:
    first = booted(paths, 1, pcr0="aa")
    booted(paths, 2, pcr0="bb")

    found = measured(paths, *first)

    assert found is not None
    assert found.before is None
