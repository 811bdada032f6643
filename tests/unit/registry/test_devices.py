"""Devices of a node that fit together, and those that do not."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

from provisioner.model.resolved import ResolvedNode
from provisioner.overlay.links import links_of
from tests.support.site import examined

IB = "80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:cb:a1"


def node_of(entry: str) -> ResolvedNode:
    site = examined({"nodes.d/a.yaml": f"nodes:\n  n1: {entry}\n"})
    assert site.problems == ()
    assert site.loaded is not None
    return site.loaded.nodes[0]


def problems_of(entry: str) -> list[str]:
    return [problem.message for problem in examined({"nodes.d/a.yaml": f"nodes:\n  n1: {entry}\n"}).problems]


def test_a_device_is_what_is_said_about_it() -> None:
    node = node_of(
        "{interfaces: {eth0: , eth1: , bond0: {bond: {members: [eth0, eth1]}},"
        f" v5: {{vlan: {{id: 5, parent: bond0}}}}, ib0: {{mac: '{IB}'}}}}}}"
    )

    assert {each.name: each.type.value for each in node.interfaces} == {
        "eth0": "ethernet",
        "eth1": "ethernet",
        "bond0": "bond",
        "v5": "vlan",
        "ib0": "infiniband",
    }
    assert node.interfaces[3].infiniband_address == IB
    assert node.interfaces[3].mac is None


def test_the_interface_that_boots_is_no_bond_while_another_one_has_an_address() -> None:
    node = node_of("{interfaces: {a0: {ip: 10.0.1.1, bond: {members: [eth0]}}, eth0: {ip: 10.0.1.2}}}")

    assert node.primary == "eth0"


def test_what_is_written_as_primary_boots() -> None:
    node = node_of("{primary: eth1, interfaces: {eth0: {mac: '52:54:00:00:00:01'}, eth1: {ip: 10.0.1.2}}}")

    assert node.primary == "eth1"


def test_a_device_gets_the_mtu_of_its_network_unless_it_has_its_own() -> None:
    site = examined(
        {
            "provisioner.yaml": "cluster: c\nnetworks: {p: {cidr: 10.0.0.0/16, mtu: 9000}}\n",
            "nodes.d/a.yaml": "nodes: {n1: {interfaces: {eth0: , eth1: {mtu: 1500}}}}\n",
        }
    )

    assert site.loaded is not None
    assert [each.mtu for each in site.loaded.nodes[0].interfaces] == [9000, 1500]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{primary: eth9, interfaces: {eth0: }}", "the primary interface eth9 does not exist"),
        (
            "{interfaces: {bond0: {bond: {members: [eth0]}}}}",
            "bond0 bonds eth0, which is no other interface of the node",
        ),
        ("{interfaces: {b: {bond: {members: [b]}}}}", "b bonds b, which is no other interface of the node"),
        ("{interfaces: {v: {vlan: {parent: eth0}}, eth0: }}", "the VLAN v has no id"),
        ("{interfaces: {v: {vlan: {id: 5}}}}", "the VLAN v needs a parent that is another interface of the node"),
        ("{interfaces: {e: {type: ethernet, vlan: {id: 5}}}}", "e is of type ethernet, so it has no vlan"),
        (
            f"{{interfaces: {{e: {{type: ethernet, mac: '{IB}'}}}}}}",
            "e has an InfiniBand address, but is of type ethernet",
        ),
        (
            "{interfaces: {ib0: {type: infiniband, mac: '52:54:00:00:00:01'}}}",
            "ib0 is of type infiniband, but has a MAC of six bytes",
        ),
        (
            "{interfaces: {eth0: , b0: {bond: {members: [eth0]}}, b1: {bond: {members: [eth0]}}}}",
            "eth0 is a member of b0 and of b1",
        ),
        (
            "{interfaces: {eth0: {routes: [{to: 10.0.0.0/8, via: 'fd00::1'}]}}}",
            "eth0: the route to 10.0.0.0/8 goes by way of fd00::1, of the other family",
        ),
        (
            "{interfaces: {v1: {vlan: {id: 1, parent: v2}}, v2: {vlan: {id: 2, parent: v1}}}}",
            "v1 and v2 lie on each other",
        ),
        (
            "{interfaces: {b0: {bond: {members: [v1]}}, v1: {vlan: {id: 1, parent: b0}}}}",
            "b0 and v1 lie on each other",
        ),
        (
            "{interfaces: {p.8001: {type: infiniband, infiniband: {pkey: '0x8001'}}}}",
            "p.8001 has a pkey, so its name has to start with its InfiniBand device",
        ),
        (
            "{interfaces: {ib0: {type: infiniband}, ib0.0: {type: infiniband, infiniband: {pkey: '0x8000'}}}}",
            "0x8000 is no partition of InfiniBand: the key is 0",
        ),
    ],
)
def test_devices_that_do_not_fit_are_named(entry: str, message: str) -> None:
    assert problems_of(entry) == [message]


def test_a_bmc_counts_like_an_interface() -> None:
    site = examined({"nodes.d/a.yaml": "nodes: {'n[1-2]': {bmc: {ip: 10.0.9.1+, password: tiger}}}\n"})

    assert site.loaded is not None
    bmcs = [node.bmc for node in site.loaded.nodes]
    assert [str(each.ip) for each in bmcs if each] == ["10.0.9.1/16", "10.0.9.2/16"]


def test_a_node_of_which_no_bmc_is_said_has_none() -> None:
    assert node_of("{}").bmc is None


NAMES = ("eth0", "eth1", "b0", "b1", "v1", "v2", "ib0", "ib0.8001")
names = st.sampled_from(NAMES)
routes = st.lists(
    st.fixed_dictionaries(
        {
            "to": st.sampled_from(["default", "10.0.0.0/8", "fd99::/48"]),
            "via": st.sampled_from(["10.0.0.1", "fe80::1"]),
        }
    ),
    max_size=2,
)
bonds = st.fixed_dictionaries({"bond": st.fixed_dictionaries({"members": st.lists(names, max_size=3)})})
vlans = st.fixed_dictionaries(
    {"vlan": st.fixed_dictionaries({"id": st.integers(1, 9), "parent": names}, optional={})}
)
partitions = st.fixed_dictionaries(
    {
        "type": st.just("infiniband"),
        "infiniband": st.fixed_dictionaries({}, optional={"pkey": st.sampled_from(["0x0", "0x8000", "0x8001"])}),
    }
)
plain = st.fixed_dictionaries({}, optional={"mac": st.sampled_from([IB, "52:54:00:00:00:01"])})
devices = st.tuples(st.one_of(bonds, vlans, partitions, plain), st.fixed_dictionaries({"routes": routes})).map(
    lambda both: {**both[0], **both[1]}
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(names, devices, min_size=1, max_size=6), st.none() | names)
def test_devices_that_pass_are_devices_that_a_network_can_be_made_of(
    interfaces: dict[str, object], primary: str | None
) -> None:
    node = {"interfaces": interfaces, **({"primary": primary} if primary else {})}
    site = examined({"nodes.d/a.yaml": yaml.safe_dump({"nodes": {"n1": node}})})
    event("refused" if site.problems else "passed")

    if site.loaded is not None and not site.problems:
        (resolved,) = site.loaded.nodes
        assert len(links_of(site.loaded.site, resolved)) <= len(interfaces)
