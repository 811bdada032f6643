"""The devices of a node as every network backend gets them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface

import pytest

from provisioner.model.device import Bond, BondMode, DeviceType, Infiniband, Route, Vlan
from provisioner.model.resolved import ResolvedInterface
from provisioner.overlay.links import Link, links_of
from tests.support import resolved
from tests.support.netmatrix import BONDS, INFINIBAND, NICS, SITE, VLANS, device, mac, node, vlan

BOOT = NICS[0]
ROUTER, ROUTER6 = IPv4Address("10.0.0.254"), IPv6Address("fd00::fe")


def links(*devices: ResolvedInterface, **changes: object) -> dict[str, Link]:
    return {link.name: link for link in links_of(SITE, node(*devices, **changes))}


def defaults(*devices: ResolvedInterface) -> list[tuple[str, str, int | None]]:
    """Device, router and metric of every default route."""
    made = links(*devices).values()
    return [(link.name, str(each.via), each.metric) for link in made for each in link.routes if each.is_default]


def bond(*members: str, **settings: object) -> ResolvedInterface:
    return device("bond0", type=DeviceType.BOND, bond=Bond(members=members, **settings))


def test_every_device_comes_after_those_that_it_lies_on() -> None:
    order = list(links(*VLANS, *BONDS, *NICS, *INFINIBAND))

    for name, below in (
        *(("bond0.100", "bond0"), ("bond0", "eth1"), ("bond0", "eth2"), ("storage6", "eth5")),
        *(("bond1.200", "bond1"), ("ib0.8001", "ib0")),
    ):
        assert order.index(below) < order.index(name)


def test_the_default_route_is_that_of_the_network_that_the_node_boots_from() -> None:
    assert defaults(BOOT, NICS[5]) == [("eth0", "10.0.0.254", None), ("eth0", "fd00::fe", None)]


def test_no_default_route_of_a_family_without_an_address_of_it() -> None:
    assert defaults(BOOT.model_copy(update={"ip6": None})) == [("eth0", "10.0.0.254", None)]


def test_a_gateway_on_a_device_takes_the_place_of_the_network_s_in_its_family() -> None:
    routed = NICS[5].model_copy(update={"gateway": IPv4Address("10.8.0.254")})

    assert defaults(BOOT, routed) == [("eth0", "fd00::fe", None), ("eth5", "10.8.0.254", None)]


def test_a_route_called_default_counts_as_a_gateway() -> None:
    routed = NICS[5].model_copy(update={"routes": (Route(to="default", via=IPv4Address("10.8.0.254")),)})

    assert defaults(BOOT.model_copy(update={"ip6": None}), routed) == [("eth5", "10.8.0.254", None)]


def test_default_routes_that_were_all_written_get_different_metrics_and_the_boot_device_the_best() -> None:
    routed = NICS[5].model_copy(update={"name": "aaa0", "gateway": IPv4Address("10.8.0.254")})
    boot = BOOT.model_copy(update={"gateway": ROUTER, "ip6": None})

    assert sorted(defaults(routed, boot)) == [("aaa0", "10.8.0.254", 100), ("eth0", "10.0.0.254", None)]


def test_the_boot_device_is_the_best_for_ipv6_too_where_no_metric_means_1024() -> None:
    routed = NICS[5].model_copy(update={"name": "aaa0", "ip6": IPv6Interface("fd08::1/64"), "gateway6": ROUTER6})
    boot = BOOT.model_copy(update={"ip": None, "gateway6": ROUTER6})

    assert sorted(defaults(routed, boot)) == [("aaa0", "fd00::fe", 1124), ("eth0", "fd00::fe", None)]


def test_the_gateway_of_a_network_that_the_node_does_not_boot_from_is_not_used() -> None:
    storage = device("eth1", network="storage", mac=mac(1), ip="10.9.0.1/24")

    assert links(BOOT, storage)["eth1"].routes == ()


def test_a_router_outside_of_all_networks_of_its_device_is_reached_on_the_link() -> None:
    routes = {str(each.via): each.on_link for each in links()["bond0"].routes}

    assert routes == {"10.9.0.254": False, "fd09::fe": False, "10.99.0.1": True}
    assert [each.on_link for each in links()["storage6"].routes] == [False]


def test_a_route_by_way_of_a_router_of_the_other_family_is_refused() -> None:
    wrong = BOOT.model_copy(update={"routes": (Route(to=IPv4Network("10.7.0.0/16"), via=ROUTER6),)})

    with pytest.raises(ValueError, match=r"eth0: the route to 10\.7\.0\.0/16 goes by way of fd00::fe"):
        links(wrong)


def test_name_servers_and_domains_are_those_of_the_device_or_else_of_its_network() -> None:
    made = links()

    assert list(map(str, made["bond0"].dns)) == ["10.9.0.53"]
    assert list(map(str, made["bond0.100"].dns)) == ["10.0.0.53", "fd00::53"]
    assert made["bond0.100"].search == ("example.org",)
    assert made["bond0.100"].dns4 == (IPv4Address("10.0.0.53"),)
    assert made["eth5"].dns == ()


def test_the_boot_device_searches_the_node_s_own_domain_first_and_asks_the_head_without_name_servers() -> None:
    assert links()["eth0"].search == ("cluster.local", "example.org")
    moved = BOOT.model_copy(update={"network": "ipmi"})
    assert list(map(str, links(moved)["eth0"].dns)) == ["10.8.0.1"]


def test_a_boot_device_with_an_ipv6_address_alone_asks_the_head_node_over_ipv6() -> None:
    snapshot = resolved.snapshot6()

    (made,) = links_of(snapshot.site, snapshot.nodes["n001"])

    assert (list(map(str, made.addresses)), list(map(str, made.dns))) == (["fd00::11/64"], ["fd00::1"])


def test_only_the_boot_device_is_required_and_keeps_what_stage_1_has_set() -> None:
    made = links().values()

    assert [link.name for link in made if link.is_required] == ["eth0"]
    assert [link.name for link in made if link.is_boot] == ["eth0"]


def test_a_bond_speaks_for_its_members_and_so_takes_over_from_the_boot_device() -> None:
    other = device("eth1", mac=mac(1), ip="10.0.2.1/16", mtu=9000, onboot=False)

    made = links(BOOT, other, bond("eth0", "eth1"))

    assert list(map(str, made["bond0"].addresses)) == ["10.0.1.1/16", "fd00::1/64", "10.0.2.1/16"]
    assert [str(each.via) for each in made["bond0"].routes] == ["10.0.0.254", "fd00::fe"]
    assert (made["bond0"].replaces, made["bond0"].is_required, made["bond0"].is_boot) == ("eth0", True, False)
    assert made["bond0"].mtu == 1500
    assert [(made[name].master, made[name].addresses, made[name].dns) for name in ("eth0", "eth1")] == [
        ("bond0", (), ()),
        ("bond0", (), ()),
    ]


def test_an_address_that_bond_and_member_share_is_there_once() -> None:
    shared = bond("eth0").model_copy(update={"ip": IPv4Interface("10.0.1.1/16")})

    assert list(map(str, links(BOOT, shared)["bond0"].ip4)) == ["10.0.1.1/16"]


def test_a_bond_without_settings_watches_its_links() -> None:
    made = links(*NICS, bond("eth1", "eth2"))["bond0"].bond

    assert made is not None
    assert (made.members, made.mode, made.miimon, made.updelay) == (
        ("eth1", "eth2"),
        BondMode.BALANCE_RR,
        100,
        None,
    )


def test_settings_that_the_mode_of_a_bond_does_not_know_are_left_out() -> None:
    settings = {"lacp_rate": "fast", "xmit_hash_policy": "layer2", "miimon": 0, "updelay": 100, "downdelay": 100}

    made = links(*NICS, bond("eth1", mode=BondMode.ACTIVE_BACKUP, **settings))["bond0"].bond

    assert made is not None
    assert (made.lacp_rate, made.xmit_hash_policy, made.updelay, made.downdelay) == (None, None, None, None)


def test_the_members_and_vlans_of_a_device_know_each_other() -> None:
    made = links(*NICS, *BONDS, *VLANS, *INFINIBAND)

    assert {name: link.master for name, link in made.items() if link.master} == {
        "eth1": "bond0",
        "eth2": "bond0",
        "eth3": "bond1",
        "eth4": "bond1",
    }
    assert (made["bond0"].vlans, made["eth5"].vlans) == (("bond0.100",), ("storage6",))
    assert (made["ib0"].partitions, made["ib0.8001"].parent, made["ib0.8001"].pkey) == (
        ("ib0.8001",),
        "ib0",
        0x8001,
    )


def test_the_uuid_of_a_device_is_the_same_every_time_and_another_for_every_node() -> None:
    here, again, there = links()["eth0"], links()["eth0"], links(name="n002")["eth0"]

    assert here.uuid == again.uuid
    assert here.uuid != there.uuid


def test_the_boot_device_of_a_machine_that_nobody_has_seen_is_left_out() -> None:
    unseen = BOOT.model_copy(update={"mac": None})

    assert list(links(unseen, NICS[5].model_copy(update={"mac": None}))) == ["eth5"]


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ((*NICS, bond("eth1"), BONDS[0].model_copy(update={"name": "bond9"})), "eth1 is a member of bond"),
        ((BOOT, vlan("a", "b", 1), vlan("b", "a", 2)), "a and b lie on each other"),
        ((BOOT, bond("v"), vlan("v", "bond0", 2)), "bond0 and v lie on each other"),
        (
            (BOOT, device("ib1", type=DeviceType.INFINIBAND, infiniband=Infiniband(pkey="0x8001"))),
            "ib1 has a pkey",
        ),
        ((INFINIBAND[0], INFINIBAND[1].model_copy(update={"infiniband": Infiniband(pkey="0x8000")})), "key is 0"),
    ],
)
def test_devices_that_nothing_could_make_are_refused(devices: tuple[ResolvedInterface, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        links(*devices)


def test_a_vlan_can_lie_on_a_vlan() -> None:
    inner = device("inner", type=DeviceType.VLAN, vlan=Vlan(id=2, parent="outer"))

    assert list(links(inner, vlan("outer", "eth0", 1), BOOT)) == ["eth0", "outer", "inner"]


def test_a_tower_of_bonds_over_pairs_of_vlans_takes_no_longer_than_its_devices() -> None:
    tower, below = [BOOT], BOOT.name
    for floor in range(60):
        pair = [vlan(f"{side}{floor}", below, number) for number, side in ((1, "a"), (2, "b"))]
        members = tuple(each.name for each in pair)
        tower += [*pair, device(f"o{floor}", type=DeviceType.BOND, bond=Bond(members=members))]
        below = f"o{floor}"

    assert list(links(*reversed(tower)))[-1] == "o59"
