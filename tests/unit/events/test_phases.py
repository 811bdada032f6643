"""The phases of a boot: they follow one another and add up to the whole of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.events.phases import MILESTONES, STAGES, Mark, phases
from provisioner.model.event import Stage

WHOLE = [
    Mark("dhcp.discover", 10.0, None),
    Mark("dhcp.ack", 10.5, None),
    Mark("loader.sent", 11.0, 70_000),
    Mark("dhcp.ack", 13.0, None),
    Mark("script.boot", 13.5, 700),
    Mark("kernel.sent", 14.0, 8_000),
    Mark("stage1.sent", 15.0, 20_000),
    Mark("stage1.started", 20.0, None),
    Mark("root.sent", 24.0, 76_000),
    Mark("image.verified", 25.0, None),
    Mark("overlay.applied", 26.0, None),
    Mark("handover.done", 26.5, None),
    Mark("ready", 60.0, None),
]


def test_every_stage_begins_where_the_one_before_ended() -> None:
    found = {phase.stage: (phase.seconds, phase.bytes) for phase in phases(WHOLE)}

    assert found == {
        Stage.DHCP: (0.5, 0),
        Stage.LOADER: (0.5, 70_000),
        Stage.SCRIPT: (2.5, 700),
        Stage.KERNEL: (1.5, 28_000),
        Stage.STAGE1: (5.0, 0),
        Stage.IMAGE: (5.0, 76_000),
        Stage.OVERLAY: (1.0, 0),
        Stage.HANDOVER: (0.5, 0),
        Stage.SYSTEM: (33.5, 0),
    }


def test_kernel_and_stage_1_as_one_file_end_the_same_stage() -> None:
    one = [Mark("uki.sent", 15.0, 28_000) if mark.name == "stage1.sent" else mark for mark in WHOLE]
    one = [mark for mark in one if mark.name != "kernel.sent"]

    assert phases(one) == phases(WHOLE)


def test_a_stage_that_a_machine_does_not_have_is_left_out() -> None:
    without = [mark for mark in WHOLE if mark.name != "loader.sent"]

    assert Stage.LOADER not in {phase.stage for phase in phases(without)}
    assert sum(phase.seconds for phase in phases(without)) == 50.0


def test_what_comes_again_later_ends_nothing_a_second_time() -> None:
    again = [*WHOLE[:9], Mark("stage1.sent", 24.5, 5), *WHOLE[9:], Mark("ready", 90.0, None)]

    assert [phase.stage for phase in phases(again)] == list(STAGES)


def test_nothing_happened_in_a_boot_without_events() -> None:
    assert phases([]) == ()


@given(st.lists(st.tuples(st.sampled_from([*sorted(MILESTONES), "x.y"]), st.floats(0, 1e6), st.integers(0, 9))))
def test_phases_come_in_their_order_once_each_and_lose_no_time(events: list[tuple[str, float, int]]) -> None:
    marks = [Mark(*each) for each in sorted(events, key=lambda each: each[1])]
    found = phases(marks)

    places = [STAGES.index(phase.stage) for phase in found]
    assert places == sorted(set(places))
    if found:
        last = max(mark.time for mark in marks)
        assert 0 <= sum(phase.seconds for phase in found) <= last - marks[0].time + 1e-3
