"""Names that mean nothing, and things taken twice."""

from __future__ import annotations

import pytest

from tests.support.site import catalogue_of, examined


def mistakes(files: dict[str, str]) -> list[tuple[str, str]]:
    problems = examined(files, catalogue_of("debian-12")).problems
    return [(f"{each.file}:{each.line}:{each.column}", each.message) for each in problems]


@pytest.mark.parametrize(
    ("entry", "column", "message", "hint"),
    [
        (
            "groups: [comptue]",
            21,
            "unknown group 'comptue'",
            "did you mean 'compute'? else: prov group add comptue",
        ),
        ("groups: [xyz]", 21, "unknown group 'xyz'", "prov group add xyz"),
        ("image: rocky-9", 19, "unknown image 'rocky-9'", "there is debian-12, or prov image build rocky-9"),
        ("image: debian-12@7", 19, "the image 'debian-12' has no generation 7", "prov image show debian-12"),
        (
            "overlays: {system: [a]}",
            32,
            "unknown overlay 'a'",
            "there is agent, hostname, hosts, motd, network, ssh",
        ),
        (
            "overlays: {runtime: [a]}",
            33,
            "unknown overlay 'a'",
            "there is agent, hostname, hosts, motd, network, ssh",
        ),
        ("script: x", 20, "unknown boot script 'x'", "there is boot"),
        ("interfaces: {e: {network: x}}", 38, "unknown network 'x'", "there is provision"),
    ],
)
def test_a_name_that_means_nothing_is_reported_where_it_is_written(
    entry: str, column: int, message: str, hint: str
) -> None:
    files = {"groups.d/g.yaml": "groups: {compute: }\n", "nodes.d/n.yaml": f"nodes:\n  n[1-9]: {{{entry}}}\n"}

    (problem,) = examined(files, catalogue_of("debian-12")).problems

    assert (problem.line, problem.column, problem.message, problem.hint) == (2, column, message, hint)


def test_groups_are_checked_even_when_no_node_is_in_them() -> None:
    assert mistakes({"groups.d/g.yaml": "groups:\n  g: {image: x}\n"}) == [
        ("groups.d/g.yaml:2:14", "unknown image 'x'")
    ]


def test_a_group_with_a_mistake_in_it_is_known_all_the_same() -> None:
    files = {"groups.d/g.yaml": "groups: {g: []}\n", "nodes.d/n.yaml": "nodes: {n1: {groups: [g]}}\n"}

    assert [message for _, message in mistakes(files)] == ["expected a mapping, found a list"]


@pytest.mark.parametrize(
    ("written", "what"),
    [("mac: '52:54:00:00:00:0a'", "the MAC 52:54:00:00:00:0a"), ("ip: 10.0.1.1", "the address 10.0.1.1")],
)
def test_what_two_nodes_share_is_reported_once_and_names_both_places(written: str, what: str) -> None:
    files = {
        "nodes.d/a.yaml": f"nodes: {{n1: {{interfaces: {{eth0: {{{written}}}}}}}}}\n",
        "nodes.d/b.yaml": f"nodes: {{'n[2-5]': {{interfaces: {{eth1: {{{written}}}}}}}}}\n",
    }

    ((place, message),) = mistakes(files)

    assert place.startswith("nodes.d/b.yaml:1:")
    assert message == f"{what} of n2 belongs to n1 already (eth0, nodes.d/a.yaml:1)"


def test_two_interfaces_of_one_node_cannot_share_an_address() -> None:
    files = {"nodes.d/a.yaml": "nodes: {n1: {interfaces: {a: {ip: 10.0.1.1}, b: {ip: 10.0.1.1}}}}\n"}

    assert [message for _, message in mistakes(files)] == [
        "the address 10.0.1.1 of n1 belongs to n1 already (a, nodes.d/a.yaml:1)"
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("server: 10.1.0.1", "the server 10.1.0.1 is outside the network"),
        ("gateway: 10.1.0.1", "the gateway 10.1.0.1 is outside the network"),
        ("pool: 10.0.9.1-10.1.0.1", "the pool 10.0.9.1-10.1.0.1 is outside the network"),
        (
            "server: 10.0.9.5, pool: 10.0.9.1-10.0.9.9",
            "the pool 10.0.9.1-10.0.9.9 holds the server's address 10.0.9.5",
        ),
        ("pool: 10.0.0.1-10.0.0.9", "the pool 10.0.0.1-10.0.0.9 holds the server's address 10.0.0.1"),
        ("servers: [10.0.0.1, 10.1.0.2]", "the server 10.1.0.2 is outside the network"),
        ("servers: [10.0.0.1, 10.0.0.1]", "the servers name an address twice"),
        (
            "servers: [10.0.0.1, 10.0.0.2], server: 10.0.0.3",
            "server: is the address of the only head node; with servers: leave it out",
        ),
        (
            "servers: [10.0.0.1, 10.0.9.5], pool: 10.0.9.1-10.0.9.9",
            "the pool 10.0.9.1-10.0.9.9 holds the server's address 10.0.9.5",
        ),
        ("server: 10.0.0.0", "the server 10.0.0.0 is the network's own or its broadcast address"),
        ("server: 10.0.255.255", "the server 10.0.255.255 is the network's own or its broadcast address"),
        ("dhcp6: authoritative", "dhcp6: authoritative gives out addresses of cidr6, which is not written"),
        (
            "cidr6: 'fd00::/64', server6: 'fd01::1'",
            "the server6 fd01::1 is no address of a machine in fd00::/64",
        ),
        ("server6: 'fd00::1'", "the server6 fd00::1 is no address of a machine in cidr6, which is not written"),
        ("cidr6: 'fd00::/64', server6: 'fd00::'", "the server6 fd00:: is no address of a machine in fd00::/64"),
    ],
)
def test_the_parts_of_a_network_must_fit_together(keys: str, message: str) -> None:
    site = f"cluster: c\nnetworks:\n  p: {{cidr: 10.0.0.0/16, {keys}}}\n"

    assert [each for _, each in mistakes({"provisioner.yaml": site})] == [message]


def relayed(keys: str) -> list[str]:
    networks = f"  p: {{cidr: 10.0.0.0/16}}\n  q: {{cidr: 10.9.0.0/24, relayed: true, {keys}}}\n"
    return [message for _, message in mistakes({"provisioner.yaml": f"cluster: c\nnetworks:\n{networks}"})]


def test_a_network_behind_a_relay_has_the_head_node_of_another_network() -> None:
    assert relayed("server: 10.0.0.1, gateway: 10.9.0.254") == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("server: 10.0.0.1", "nodes behind a relay reach the head node by `gateway`, which is not written"),
        ("server: 10.0.0.2, gateway: 10.9.0.1", "the server of q is the head node's address in no other network"),
        ("gateway: 10.9.0.1", "the server of q is the head node's address in no other network"),
    ],
)
def test_a_network_behind_a_relay_that_nobody_could_be_served_in_is_refused(keys: str, message: str) -> None:
    assert relayed(keys) == [message]


def test_networks_cannot_overlap() -> None:
    site = "cluster: c\nnetworks:\n  p: {cidr: 10.0.0.0/16}\n  q: {cidr: 10.0.4.0/24}\n"

    assert mistakes({"provisioner.yaml": site}) == [("provisioner.yaml:4:13", "the networks p and q overlap")]


def test_ipv6_networks_cannot_overlap_either() -> None:
    networks = "  p: {cidr: 10.0.0.0/16, cidr6: 'fd00::/48'}\n  q: {cidr: 10.1.0.0/16, cidr6: 'fd00:0:0:1::/64'}\n"
    site = f"cluster: c\nnetworks:\n{networks}"

    assert [message for _, message in mistakes({"provisioner.yaml": site})] == [
        "the IPv6 networks of p and q overlap"
    ]


@pytest.mark.parametrize(
    ("cidr", "message"),
    [
        ("10.0.0.0/31", "the network 10.0.0.0/31 has no room for a head node and nodes"),
        ("255.255.255.255/32", "the network 255.255.255.255/32 has no room for a head node and nodes"),
        ("0.0.0.0/0", "the network 0.0.0.0/0 holds addresses that no machine can have (0.0.0.0/8)"),
        ("239.1.0.0/16", "the network 239.1.0.0/16 holds multicast or reserved addresses (224.0.0.0/3)"),
    ],
)
def test_a_network_must_have_room_for_a_cluster(cidr: str, message: str) -> None:
    files = {
        "provisioner.yaml": f"cluster: c\nnetworks:\n  p: {{cidr: {cidr}}}\n",
        "nodes.d/n.yaml": "nodes: {n1: {interfaces: {eth0: {mac: '52:54:00:00:00:0a'}}}}\n",
    }

    assert mistakes(files) == [("provisioner.yaml:3:13", message)]
