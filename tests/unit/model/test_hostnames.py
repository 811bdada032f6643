"""The names of a node and of its further devices."""

from __future__ import annotations

from ipaddress import IPv4Interface, ip_address

from provisioner.model.hostnames import all_names, host_names
from tests.support import resolved


def test_the_device_that_boots_has_the_name_of_the_node_and_others_add_theirs() -> None:
    vlan = resolved.interface(None, 2, name="bond0.100").model_copy(update={"ip6": None})
    node = resolved.node(interfaces=(vlan, resolved.interface(resolved.MAC1, 1)))

    assert dict(host_names(node)) == {
        "n001": (ip_address("10.0.1.1"), ip_address("fd00::1")),
        "n001-bond0-100": (ip_address("10.0.1.2"),),
    }


def test_where_the_device_that_boots_has_no_address_the_next_one_speaks_for_the_node() -> None:
    bare = resolved.interface(resolved.MAC1, 1).model_copy(update={"ip": None, "ip6": None})
    other = resolved.interface(None, 2, name="ib0").model_copy(
        update={"ip": IPv4Interface("10.9.0.1/24"), "ip6": None}
    )

    assert list(host_names(resolved.node(interfaces=(bare, other)))) == [("n001", (ip_address("10.9.0.1"),))]


def test_a_node_without_addresses_still_has_its_names() -> None:
    assert all_names(resolved.node(interfaces=())) == ["n001", "n001.cluster.local"]
