"""What templates see of the head node and of the node's keys."""

from __future__ import annotations

from ipaddress import IPv4Address

from provisioner.overlay.context import Identity, Surroundings, context_for, head_for
from provisioner.trust.sitekey import SiteKey
from tests.support import resolved

KEY = SiteKey(b"k" * 32)


def test_the_head_node_is_the_one_of_the_network_that_the_node_boots_from() -> None:
    snapshot = resolved.snapshot()

    head = head_for(snapshot, snapshot.nodes["n001"])

    assert (head.name, head.domain, head.url) == ("provisioner", "cluster.local", "http://10.0.0.1:8080")
    assert head.resolvers == (IPv4Address("10.0.0.1"),)


def test_a_node_with_an_ipv6_address_alone_finds_the_head_node_and_its_name_server_there() -> None:
    both = resolved.node("n002", mac=resolved.MAC2, host=2)
    around = Surroundings(resolved.snapshot6(resolved.node6(), both), Identity(KEY))

    alone, first = around.head(around.snapshot.nodes["n001"]), around.head(both)

    assert (str(alone.address), alone.url) == ("fd00::1", "http://[fd00::1]:8080")
    assert list(map(str, alone.resolvers)) == ["fd00::1"]
    assert (str(first.address), first.url) == ("10.0.0.1", "http://10.0.0.1:8080")


def test_a_node_that_boots_from_no_network_still_has_a_head_node() -> None:
    node = resolved.node(interfaces=(), primary=None)

    assert head_for(resolved.snapshot(node), node).address == IPv4Address("10.0.0.1")


def test_templates_see_all_nodes_in_the_order_of_their_names() -> None:
    snapshot = resolved.snapshot(resolved.node("n010"), resolved.node("n002"))

    context = context_for(snapshot, snapshot.nodes["n010"], KEY)

    nodes = context["nodes"]
    assert isinstance(nodes, list)
    assert [node.name for node in nodes] == ["n002", "n010"]


def test_a_dump_of_the_context_shows_no_private_key() -> None:
    snapshot = resolved.snapshot()

    assert "PRIVATE" not in repr(context_for(snapshot, snapshot.nodes["n001"], KEY))
