"""When an order for one boot is used up, and when a fall-back is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.boot.override import MOST_BOOTS, pending, reported, settled, taken
from provisioner.model.bootcontrol import Control, Fallback, Once

RESCUE = Once("rescue", 100.0, "root")
DISK = Once("disk", 100.0, "root")
FALLBACK = Fallback("debian-12@2", "debian-12@1", 50.0, 3)


def test_an_order_holds_until_the_machine_asks_for_its_script_whenever_that_is() -> None:
    assert pending(RESCUE, 10_000_000.0)


def test_a_rescue_holds_for_a_machine_that_asks_again_before_stage_1_reported() -> None:
    once = taken(RESCUE, "b1", 200.0)

    assert pending(once, 200.0 + 3600)
    assert reported(Control(once), "b1") == Control()


def test_the_report_of_a_boot_that_did_not_follow_the_order_does_not_use_it_up() -> None:
    control = Control(taken(RESCUE, "b2", 200.0))

    assert reported(control, "b1") == control
    assert reported(Control(RESCUE), "b1") == Control(RESCUE)


def test_a_boot_that_never_comes_to_stage_1_uses_the_order_up_after_three_times() -> None:
    once = RESCUE
    for number in range(MOST_BOOTS):
        assert pending(once, 1000.0 * number + 999)
        once = taken(once, f"b{number}", 1000.0 * number)

    assert once.boots == ("b0", "b1", "b2")
    # The machine may still be at the third.
    assert pending(once, 2030.0)
    assert not pending(once, 2061.0)


def test_asking_again_within_a_boot_is_no_further_boot() -> None:
    once = taken(taken(RESCUE, "b1", 200.0), "b1", 210.0)

    assert once.boots == ("b1",)


@pytest.mark.parametrize("what", ["disk", "memtest"])
def test_what_never_reports_is_used_up_by_its_script_and_holds_for_a_minute_of_retries(what: str) -> None:
    once = taken(taken(replace(DISK, what=what), None, 200.0), None, 230.0)

    assert pending(once, 259.0)
    assert not pending(once, 260.0)


def test_what_is_used_up_goes_and_what_holds_stays() -> None:
    assert settled(Control(taken(DISK, None, 200.0), FALLBACK), "debian-12@2", 300.0) == Control(None, FALLBACK)
    assert settled(Control(RESCUE, FALLBACK), "debian-12@2", 300.0) == Control(RESCUE, FALLBACK)


@pytest.mark.parametrize("assigned", ["debian-12@3", "other@1", None])
def test_a_fall_back_is_over_when_something_else_is_assigned_and_failures_are_counted_anew(
    assigned: str | None,
) -> None:
    assert settled(Control(None, FALLBACK, 7.0), assigned, 300.0) == Control(None, None, 300.0)
