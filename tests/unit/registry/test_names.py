"""Names that machines would take for each other."""

from __future__ import annotations

import pytest

from tests.support.site import examined


def mistakes(nodes: str) -> list[tuple[int, int, str]]:
    problems = examined({"nodes.d/n.yaml": f"nodes:\n{nodes}"}).problems
    return [(each.line, each.column, each.message) for each in problems]


def test_nodes_that_differ_in_capitals_only_are_reported_once_at_the_later_entry() -> None:
    assert mistakes("  n[1-4]:\n  n2:\n  N[2-3]:\n") == [
        (4, 3, "the nodes n2 and N2 have the same name but for capitals")
    ]


@pytest.mark.parametrize("name", ["provisioner", "Provisioner", "localhost"])
def test_the_names_of_the_head_node_are_taken(name: str) -> None:
    assert mistakes(f"  {name}:\n") == [(2, 3, f"no node can have the name {name}: it belongs to the head node")]


def two_interfaces(name: str, further: str, host: int = 1) -> str:
    addresses = f"boot: {{ip: 10.0.1.{host}, mac: '52:54:00:00:00:{host:02x}'}}, {further}: {{ip: 10.0.2.{host}}}"
    return f"  {name}: {{interfaces: {{{addresses}}}}}\n"


def test_the_name_of_a_further_interface_is_not_another_nodes() -> None:
    assert [message for *_, message in mistakes(two_interfaces("n1", "eth1") + "  N1-eth1:\n")] == [
        "n1-eth1, the name of the interface eth1 of n1 in DNS, belongs to the node N1-eth1 already"
    ]


def test_two_interfaces_cannot_have_one_name_in_dns() -> None:
    nodes = two_interfaces("n1", "a-b", 1) + two_interfaces("n1-a", "b", 2)

    assert [message for *_, message in mistakes(nodes)] == [
        "n1-a-b, the name of the interface b of n1-a in DNS, belongs to the interface a-b of n1 already"
    ]


def test_the_name_of_a_further_interface_is_one_label_and_no_longer_than_one() -> None:
    assert mistakes(two_interfaces("n" * 58 + "1", "e1")) == []
    ((line, _, message),) = mistakes(two_interfaces("n" * 60 + "1", "e1"))

    assert line == 2
    assert message.endswith("in DNS, has 64 characters; at most 63 are allowed")


def test_the_interface_that_boots_and_those_without_addresses_have_no_name_of_their_own() -> None:
    assert mistakes("  n1: {interfaces: {eth0: {ip: 10.0.1.1}, eth1: }}\n  n1-eth0:\n  n1-eth1:\n") == []
