"""What a relay says of where a machine is plugged in, as the events tell it (RFC 3046)."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from provisioner.dhcp.answer import Answer
from provisioner.dhcp.message import Message, Op
from provisioner.dhcp.report import events_of

_RELAY = IPv4Address("10.1.0.1")


def _told(option: bytes, giaddr: IPv4Address = _RELAY) -> dict[str, object]:
    message = Message(Op.REQUEST, 1, bytes(6), giaddr=giaddr, options={82: option})
    (event,) = events_of(message, Answer("ignored", "no"), 0.0)
    return dict(event.data)


def test_the_port_of_the_relay_is_told_as_text_or_hexadecimal() -> None:
    assert _told(b"\1\7Eth1/17\2\3sw1") == {"relay": "10.1.0.1", "circuit": "Eth1/17", "remote": "sw1"}
    assert _told(b"\1\4\0\x11\0\x07") == {"relay": "10.1.0.1", "circuit": "00110007"}


def test_without_a_relay_nobody_is_believed_who_names_a_port() -> None:
    assert _told(b"\1\7Eth1/17", IPv4Address(0)) == {}


@given(st.binary(max_size=600))
def test_any_octets_in_the_option_are_told_as_short_text(option: bytes) -> None:
    told = _told(option)

    assert set(told) <= {"relay", "circuit", "remote"}
    assert all(len(str(value)) <= 96 and str(value).isascii() for value in told.values())
