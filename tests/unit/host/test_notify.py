from __future__ import annotations

import os

import pytest

from provisioner.host.notify import watchdog_seconds


def test_the_time_is_what_the_service_manager_says() -> None:
    assert watchdog_seconds({"WATCHDOG_USEC": "30000000"}) == 30.0
    assert watchdog_seconds({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}) == 0.5


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}],
    ids=["nobody asks", "no time", "no number", "another process is meant"],
)
def test_nobody_waits_unless_this_process_is_asked(environment: dict[str, str]) -> None:
    assert watchdog_seconds(environment) is None
