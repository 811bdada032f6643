from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.dns.reverse import name_of, parse


@given(st.ip_addresses())
def test_the_name_of_every_address_reads_back(address: IPv4Address | IPv6Address) -> None:
    name = name_of(ip_network(address))
    read = parse(name)

    assert name == address.reverse_pointer
    assert read is not None
    assert read.address == address


@pytest.mark.parametrize(
    ("name", "network"),
    [("77.10.in-addr.arpa", "10.77.0.0/16"), ("10.in-addr.arpa", "10.0.0.0/8"), ("d.f.ip6.arpa", "fd00::/8")],
)
def test_a_short_name_means_a_network(name: str, network: str) -> None:
    read = parse(name)

    assert read is not None
    assert (read.network, read.exact, read.address) == (ip_network(network), True, None)


@pytest.mark.parametrize(
    "name", ["x.0.77.10.in-addr.arpa", "256.77.10.in-addr.arpa", "01.77.10.in-addr.arpa", "dd.ip6.arpa"]
)
def test_labels_that_no_address_has_are_noticed(name: str) -> None:
    read = parse(name)

    assert read is not None
    assert (read.exact, read.address) == (False, None)


def test_other_names_are_not_reverse_names() -> None:
    assert parse("n001.cluster.local") is None
    assert parse("in-addr.arpa") is None


@pytest.mark.parametrize(
    ("name", "network", "apex"),
    [
        ("11.0.77.10.in-addr.arpa", "10.77.0.0/24", "0.77.10.in-addr.arpa"),
        ("0.77.10.in-addr.arpa", "10.77.0.0/24", "0.77.10.in-addr.arpa"),
        ("5.3.1.10.in-addr.arpa", "10.1.0.0/20", "3.1.10.in-addr.arpa"),
        ("5.16.1.10.in-addr.arpa", "10.1.0.0/20", None),
        ("77.10.in-addr.arpa", "10.77.0.0/24", None),
        ("1.0.d.f.ip6.arpa", "fd00::/8", "d.f.ip6.arpa"),
        ("1.0.d.f.ip6.arpa", "10.0.0.0/8", None),
    ],
)
def test_the_zone_is_that_of_the_network_rounded_up_to_a_label(name: str, network: str, apex: str | None) -> None:
    read = parse(name)

    assert read is not None
    assert read.apex_in(ip_network(network)) == apex


@given(st.lists(st.text(min_size=1, max_size=63), max_size=40), st.sampled_from([".in-addr.arpa", ".ip6.arpa"]))
def test_no_name_raises(labels: list[str], domain: str) -> None:
    read = parse(".".join(labels) + domain)

    assert read is None or read.address is None or read.address == ip_address(str(read.address))
