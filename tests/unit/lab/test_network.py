from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from provisioner.lab.network import LabNetwork, network_of, tap_commands
from provisioner.model.written import Network, Site


def site(cidr: str, server: str | None = None) -> Site:
    network = Network(cidr=IPv4Network(cidr), server=IPv4Address(server) if server else None)
    return Site(cluster="demo", networks={"provision": network})


def test_the_head_has_the_first_address_of_the_first_network() -> None:
    assert network_of(site("10.0.0.0/16")) == LabNetwork(IPv4Interface("10.0.0.1/16"))


def test_the_head_has_the_address_that_is_written_for_the_server() -> None:
    assert network_of(site("10.0.0.0/16", "10.0.0.9")).head == IPv4Interface("10.0.0.9/16")


def test_the_head_has_the_ipv6_address_of_its_network_where_it_needs_one() -> None:
    written = {"cidr": "10.0.0.0/16", "cidr6": "fd00::/64", "dhcp6": "authoritative"}
    lab = network_of(Site(cluster="demo", networks={"provision": Network.model_validate(written)}))

    assert str(lab.head6) == "fd00::1/64"


def test_the_bridge_forwards_at_once() -> None:
    first = LabNetwork(IPv4Interface("10.0.0.1/16")).commands()[0]

    assert first == ["ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0"]


def test_a_tap_is_plugged_into_the_bridge() -> None:
    assert tap_commands("tap3")[1] == ["ip", "link", "set", "tap3", "master", "br0", "up"]
