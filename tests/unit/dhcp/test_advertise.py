from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptPrefixInfo

from provisioner.dhcp.advertise import advertisement, target_of

NEIGHBOUR = IPv6Address("fe80::1")
NOBODY = IPv6Address("::")
SOLICITATION = b"\x85\x00\x00\x00\x00\x00\x00\x00"
LINK_ADDRESS = b"\x01\x01\x52\x54\x00\x00\x00\x01"


def test_a_neighbour_is_answered_at_its_address() -> None:
    assert target_of(SOLICITATION, 255, NEIGHBOUR) == "fe80::1"
    assert target_of(SOLICITATION + LINK_ADDRESS, 255, NEIGHBOUR) == "fe80::1"


def test_a_neighbour_without_an_address_is_answered_through_all_nodes() -> None:
    assert target_of(SOLICITATION, 255, NOBODY) == "ff02::1"


@pytest.mark.parametrize(
    ("packet", "hops", "source"),
    [
        (SOLICITATION, 64, NEIGHBOUR),
        (SOLICITATION[:7], 255, NEIGHBOUR),
        (b"\x85\x01" + SOLICITATION[2:], 255, NEIGHBOUR),
        (b"\x86" + SOLICITATION[1:], 255, NEIGHBOUR),
        (SOLICITATION + b"\x01\x00" + bytes(6), 255, NEIGHBOUR),
        (SOLICITATION + b"\x01\x02" + bytes(6), 255, NEIGHBOUR),
        (SOLICITATION + b"\x01", 255, NEIGHBOUR),
        (SOLICITATION + LINK_ADDRESS, 255, NOBODY),
    ],
    ids=["routed", "short", "code", "type", "option of no length", "cut option", "half an option", "forged"],
)
def test_what_rfc_4861_calls_invalid_is_not_answered(packet: bytes, hops: int, source: IPv6Address) -> None:
    assert target_of(packet, hops, source) is None


@given(st.binary(max_size=200))
def test_no_packet_raises(packet: bytes) -> None:
    target_of(SOLICITATION + packet, 255, NEIGHBOUR)


def test_without_dhcpv6_nothing_is_advertised_but_that_there_is_no_router() -> None:
    read = ICMPv6ND_RA(advertisement(None))

    assert (read.routerlifetime, read.M, read.O) == (0, 0, 0)
    assert not read.payload


def test_with_dhcpv6_the_prefix_is_on_the_link_and_addresses_are_managed() -> None:
    read = ICMPv6ND_RA(advertisement(IPv6Network("fd77::/64")))
    prefix = read[ICMPv6NDOptPrefixInfo]

    assert (read.routerlifetime, read.M, read.O) == (0, 1, 1)
    assert (prefix.prefix, prefix.prefixlen, prefix.L, prefix.A) == ("fd77::", 64, 1, 0)
    assert (prefix.validlifetime, prefix.preferredlifetime) == (2**32 - 1, 2**32 - 1)
