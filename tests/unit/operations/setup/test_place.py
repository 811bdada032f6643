"""Which device leads to the nodes, and what network that is."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.operations.setup.place import Place, find_place

DEVICES = [
    ("lo", IPv4Interface("127.0.0.1/8")),
    ("eth0", IPv4Interface("192.0.2.7/24")),
    ("eth1", IPv4Interface("10.0.3.1/16")),
    ("bond0", IPv4Interface("10.8.0.1/24")),
    ("bond0", IPv4Interface("10.9.0.1/24")),
]
ETH1 = Place("eth1", IPv4Address("10.0.3.1"), IPv4Network("10.0.0.0/16"))


@pytest.mark.parametrize("wanted", ["eth1", "10.0.3.1"])
def test_the_network_is_that_of_the_device_or_address(wanted: str) -> None:
    assert find_place(DEVICES, wanted, None) == ETH1


@pytest.mark.parametrize("cidr", ["10.0.0.0/22", "10.0.3.1/22"])
def test_another_prefix_than_the_devices_may_be_given_as_network_or_as_address(cidr: str) -> None:
    assert find_place(DEVICES, "eth1", cidr) == Place("eth1", ETH1.address, IPv4Network("10.0.0.0/22"))


def test_a_device_with_two_addresses_asks_which() -> None:
    with pytest.raises(ProvisionerError) as told:
        find_place(DEVICES, "bond0", None)

    assert told.value.hint == "say which: --network 10.8.0.1/24 or --network 10.9.0.1/24"
    assert find_place(DEVICES, "bond0", "10.9.0.0/24").address == IPv4Address("10.9.0.1")


def test_two_addresses_in_one_network_are_told_apart_by_the_address() -> None:
    devices = [("eth1", IPv4Interface("10.0.0.1/16")), ("eth1", IPv4Interface("10.0.0.2/16"))]

    assert find_place(devices, "eth1", "10.0.0.2/16").address == IPv4Address("10.0.0.2")


def test_without_a_device_all_that_fit_are_listed() -> None:
    with pytest.raises(ProvisionerError, match="which network") as told:
        find_place(DEVICES, None, None)

    assert "--interface eth0 (192.0.2.7/24), --interface eth1 (10.0.3.1/16)" in str(told.value.hint)
    assert "lo" not in str(told.value.hint)


@pytest.mark.parametrize("wanted", ["eth9", "lo", "127.0.0.1"])
def test_a_device_without_an_address_of_its_own_is_refused_with_the_command_that_gives_one(wanted: str) -> None:
    with pytest.raises(NotFoundError) as told:
        find_place(DEVICES, wanted, None)

    assert f"ip address add 10.0.0.1/16 dev {wanted}" in str(told.value.hint)


@pytest.mark.parametrize(
    ("cidr", "words"),
    [
        ("10.5.0.0/16", "eth1 has no address in 10.5.0.0/16"),
        ("10.0.0.0", "the length of its prefix is missing"),
        ("10.0.0.0/33", "not an IPv4 network"),
        ("fd00::/64", "not an IPv4 network"),
        ("x/1", "not an IPv4 network"),
    ],
)
def test_what_is_no_network_of_the_device_is_refused(cidr: str, words: str) -> None:
    with pytest.raises(ProvisionerError, match=words):
        find_place(DEVICES, "eth1", cidr)
