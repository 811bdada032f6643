from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from provisioner.dhcp.message import Kind, Message, Op, Option


def message(options: dict[int, bytes]) -> Message:
    return Message(Op.REQUEST, 1, bytes(6), options=options)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({53: b"\x01"}, Kind.DISCOVER),
        ({53: b"\x09"}, None),
        ({53: b""}, None),
        ({53: b"\x01\x01"}, None),
        ({}, None),
    ],
)
def test_the_kind_is_known_only_from_one_octet_that_the_rfc_lists(
    options: dict[int, bytes], kind: Kind | None
) -> None:
    assert message(options).kind is kind


def test_an_address_option_of_another_length_than_four_counts_as_missing() -> None:
    assert message({50: bytes((10, 0, 0, 1))}).address(Option.REQUESTED_ADDRESS) == IPv4Address("10.0.0.1")
    assert message({50: b"\x0a"}).address(Option.REQUESTED_ADDRESS) is None
    assert message({}).address(Option.REQUESTED_ADDRESS) is None
