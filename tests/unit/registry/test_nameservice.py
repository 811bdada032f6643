from __future__ import annotations

import pytest

from tests.support.site import catalogue_of, examined

NODES = "nodes:\n  n1: {interfaces: {eth0: {ip: 10.0.0.11}, eth1: {ip: 10.0.0.12}}}\n  N2: {}\n"


def mistakes(dns: str, nodes: str = NODES) -> list[tuple[int, str]]:
    """The column and message of every problem of a site with this `dns:`, which is on its third line."""
    site = f"cluster: c\nnetworks: {{p: {{cidr: 10.0.0.0/16}}}}\ndns: {{{dns}}}\n"
    problems = examined({"provisioner.yaml": site, "nodes.d/a.yaml": nodes}, catalogue_of()).problems
    assert all((each.file, each.line) == ("provisioner.yaml", 3) for each in problems)
    return [(each.column, each.message) for each in problems]


@pytest.mark.parametrize(
    "dns",
    [
        "forwarders: [192.0.2.53, 2001:db8::53]",
        "clients: [192.0.2.0/24], transfer: [192.0.2.7, 2001:db8::/32], notify: [192.0.2.7]",
        "services: [{name: _slurmctld._tcp, port: 6817, nodes: [n1, n2, provisioner]}]",
        "aliases: {login: n1, Boot: provisioner}",
    ],
)
def test_what_makes_sense_is_no_problem(dns: str) -> None:
    assert mistakes(dns) == []


@pytest.mark.parametrize(
    ("dns", "column", "message"),
    [
        (
            "forwarders: [10.0.0.1]",
            20,
            "10.0.0.1 is this server itself, or no server: a question would go in circles",
        ),
        (
            "forwarders: [127.0.0.1]",
            20,
            "127.0.0.1 is this server itself, or no server: a question would go in circles",
        ),
        ("forwarders: [dns1]", 20, "'dns1' is not an IP address"),
        (
            "transfer: [10.0.0.1/8]",
            18,
            "'10.0.0.1/8' is no address and no network such as 10.0.0.0/16 or fd00::/64",
        ),
        ("aliases: {login: n9}", 24, "the alias login means 'n9', and there is no such node"),
        ("aliases: {login: n1-eth1}", 24, "the alias login means 'n1-eth1', and there is no such node"),
        ("aliases: {n2: n1}", 21, "the name n2 is taken already"),
        ("aliases: {n1-eth1: n1}", 26, "the name n1-eth1 is taken already"),
        ("aliases: {provisioner: n1}", 30, "the name provisioner is taken already"),
        ("aliases: {a: n1, A: n1}", 27, "the name A is taken already"),
        ("aliases: {a.b: n1}", 17, "'a.b' is not one label of a name: letters, digits and '-', at most 63"),
        (
            "services: [{name: _x._tcp, port: 1, nodes: [n1, n9]}]",
            55,
            "the service _x._tcp is said to be on 'n9', and there is no such node",
        ),
        ("services: [{name: _x._tcp, port: 1, nodes: []}]", 43, "the service _x._tcp is on no node"),
        (
            "services: [{name: x, port: 1, nodes: [n1]}]",
            25,
            "'x' is not the name of a service such as _slurmctld._tcp",
        ),
    ],
)
def test_what_cannot_mean_what_it_says_is_a_problem_where_it_stands(dns: str, column: int, message: str) -> None:
    assert mistakes(dns) == [(column, message)]


def test_the_last_node_of_a_name_that_is_used_is_missed_when_it_goes() -> None:
    assert mistakes("aliases: {login: n2}") == []
    assert [each for _, each in mistakes("aliases: {login: n2}", "nodes: {n1: {}}\n")] == [
        "the alias login means 'n2', and there is no such node"
    ]
