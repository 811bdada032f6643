"""What is kept of what an unknown machine says: nothing odd, nothing long, nothing that tells nothing."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.machine import LONGEST, Shown, is_telling, printable_option, said

_PAIRS = st.lists(
    st.tuples(
        st.sampled_from(
            ["uuid", "serial", "asset", "product", "lldp_port", "lldp_chassis", "lldp_name", "mac", "x"]
        ),
        st.text(max_size=300) | st.binary(max_size=150).map(bytes.hex),
    )
)


@given(_PAIRS)
def test_whatever_a_machine_says_becomes_short_printable_text_of_known_fields(
    pairs: list[tuple[str, str]],
) -> None:
    found = said(pairs)

    assert set(found) <= {each.name for each in fields(Shown)} - {"mac", "first", "last", "count", "told"}
    assert all(value.isascii() and value.isprintable() for value in found.values())
    assert all(0 < len(value) <= LONGEST for value in found.values())


def test_a_uuid_is_kept_in_its_one_form_and_nothing_else_in_its_place() -> None:
    assert said([("uuid", "4C4C4544-0000-1000-8000-000000000001")]) == {
        "uuid": "4c4c4544-0000-1000-8000-000000000001"
    }
    assert said([("uuid", "no uuid")]) == {}


def test_the_switch_and_its_port_are_read_from_what_lldp_carries() -> None:
    found = said(
        [("lldp_port", "05" + b"Ethernet7".hex()), ("lldp_chassis", "04525400000099"), ("lldp_name", "sw-r1")]
    )

    assert found == {"port": "Ethernet7", "switch": "sw-r1"}
    assert said([("lldp_port", "03525400000099"), ("lldp_chassis", "04525400000001")]) == {
        "port": "52:54:00:00:00:99",
        "switch": "52:54:00:00:00:01",
    }


@pytest.mark.parametrize(
    "value",
    [
        "To be filled by O.E.M.",
        "Default string",
        "Not Specified",
        "0123456789",
        "None",
        "0",
        "00000000",
        "xxxxxxx",
        "",
    ],
)
def test_what_makers_of_boards_leave_in_a_field_tells_no_machine_from_another(value: str) -> None:
    assert not is_telling(value)
    assert Shown("52:54:00:00:00:01", 0, 0, serial=value).identity("serial") is None


def test_uuids_that_many_boards_have_tell_nothing() -> None:
    assert not is_telling("00000000-0000-0000-0000-000000000000")
    assert not is_telling("ffffffff-ffff-ffff-ffff-ffffffffffff")
    assert is_telling("4c4c4544-0000-1000-8000-000000000001")


def test_the_place_of_a_machine_is_what_lldp_says_else_the_relay() -> None:
    machine = Shown("52:54:00:00:00:01", 0, 0, relay="10.1.0.1", circuit="Eth1/17")

    assert machine.place == "10.1.0.1 Eth1/17"
    assert machine.seen(5, {"switch": "sw1", "port": "7"}).place == "sw1 7"
    assert Shown("52:54:00:00:00:01", 0, 0).place is None


def test_a_machine_that_shows_itself_again_keeps_what_it_showed_before() -> None:
    machine = Shown("52:54:00:00:00:01", 1, 1, serial="A1").seen(
        9, {"serial": None, "product": "Blade"}, told=True
    )

    assert (machine.first, machine.last, machine.count) == (1, 9, 2)
    assert (machine.serial, machine.product, machine.told) == ("A1", "Blade", True)


@given(st.binary(max_size=300))
def test_a_part_of_option_82_becomes_short_printable_text(value: bytes) -> None:
    text = printable_option(value)

    assert len(text) <= LONGEST
    assert text.isascii()
    assert not text or text.isprintable()
