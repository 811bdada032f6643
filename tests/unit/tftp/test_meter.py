from __future__ import annotations

from provisioner.tftp.meter import Meter


def test_so_many_are_allowed_in_a_second_and_then_again() -> None:
    now = [7.2]
    meter: Meter[str] = Meter(3, lambda: now[0])

    assert [meter.allows("one") for _ in range(5)] == [True, True, True, False, False]
    assert meter.allows("other")
    meter.give_back("one")
    assert [meter.allows("one") for _ in range(2)] == [True, False]
    now[0] = 7.9
    assert not meter.allows("one")
    now[0] = 8.0
    assert meter.allows("one")
