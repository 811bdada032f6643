"""Typing mistakes in hardware addresses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.address import MacAddress
from provisioner.model.slip import slips

_MACS = st.binary(min_size=6, max_size=6).map(MacAddress.from_bytes)


@given(_MACS)
def test_a_slip_of_a_slip_may_be_the_address_itself_and_a_slip_never_is(mac: MacAddress) -> None:
    found = list(slips(mac))

    assert mac not in found
    assert len(found) >= 12 * 15
    assert all(MacAddress(each) == each and mac in set(slips(each)) for each in found[::40])


def test_one_digit_and_two_neighbours_that_changed_places_are_slips() -> None:
    found = set(slips("52:54:00:12:34:56"))

    assert {"52:54:00:12:34:57", "52:54:00:12:43:56"} <= found
    assert "52:54:00:12:34:65" in found
    assert "52:54:00:12:35:57" not in found
