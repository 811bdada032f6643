"""What is wrong with nodes that run."""

from __future__ import annotations

from provisioner.operations.doctor.finding import Severity
from tests.support import resolved
from tests.support.ward import NOW, Ward, nodes


def test_a_node_that_reports_and_has_what_it_should_have_is_well(ward: Ward) -> None:
    ward.booted("ready").reported(clock=f"{NOW - 60:.0f}", memory_total="1000000", memory_available="600000")

    assert ward.findings() == {}


def test_failed_units_are_named(ward: Ward) -> None:
    ward.booted("degraded", reason="systemd says degraded: munge.service")

    assert "munge.service" in ward.findings()["units-failed"].message


def test_an_agent_that_missed_three_reports_is_silent(ward: Ward) -> None:
    ward.booted("ready", ago=5000).reported(ago=1200)

    found = ward.findings()["agent-silent"]

    assert (found.severity, found.seen) == (Severity.FAULT, NOW - 1200)


def test_runtime_overlays_that_are_not_applied_show_why(ward: Ward) -> None:
    ward.booted("ready").reported(runtime_failed="no space left")

    assert "no space left" in ward.findings()["runtime-failed"].message


def test_a_report_of_an_earlier_boot_says_nothing_of_this_one(ward: Ward) -> None:
    ward.booted("superseded", ago=900).reported(runtime_failed="no space left")
    ward.booted("ready")

    assert "runtime-failed" not in ward.findings()


def test_a_clock_that_is_far_off_is_told_with_its_direction(ward: Ward) -> None:
    ward.booted("ready").reported(clock=f"{NOW - 60 - 7300:.0f}")

    assert ward.findings()["clock-far"].message == "its clock is behind by 2 hours"


def test_a_node_without_memory_left_is_a_warning(ward: Ward) -> None:
    ward.booted("ready").reported(memory_total="1000", memory_available="20")

    assert ward.findings()["memory-low"].severity is Severity.WARNING


def test_a_node_that_runs_an_older_generation_is_a_note(ward: Ward) -> None:
    ward.facts["catalogue"] = resolved.catalogue(1, 2)
    ward.booted("ready").reported()

    found = ward.findings()["generation-old"]

    assert (found.severity, found.fix) == (Severity.NOTE, ("prov plan",))


def test_a_node_that_no_machine_can_be_leads_to_discovery(ward: Ward) -> None:
    ward.facts["snapshot"] = nodes(interfaces=(resolved.interface(None, 1),))

    assert "prov discover" in ward.findings()["mac-absent"].fix
