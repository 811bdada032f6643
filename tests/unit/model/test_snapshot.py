"""One snapshot made of another."""

from __future__ import annotations

from ipaddress import IPv4Address

from provisioner.model.address import MacAddress
from provisioner.model.snapshot import Snapshot
from tests.support.site import examined

NODES = (
    "nodes:\n  n[1-4]: {interfaces: {e: {ip: 10.0.1.1+}}}\n  n1: {interfaces: {e: {mac: '52:54:00:00:00:01'}}}\n"
)
SWAPPED = """\
nodes:
  n1: {interfaces: {e: {ip: 10.0.1.2}}}
  n2: {interfaces: {e: {ip: 10.0.1.1, mac: '52:54:00:00:00:01'}}}
  n4: {interfaces: {e: {ip: 10.0.1.4}}}
  n5: {interfaces: {e: {ip: 10.0.1.3}}}
"""


def snapshot_of(nodes: str, revision: str) -> Snapshot:
    loaded = examined({"nodes.d/a.yaml": nodes}).loaded
    assert loaded is not None
    return loaded.snapshot(revision)


def test_nodes_that_swap_what_they_have_and_nodes_that_come_and_go_are_found_as_in_a_new_one() -> None:
    old, new = snapshot_of(NODES, "a"), snapshot_of(SWAPPED, "b")
    changed = {name: new.nodes.get(name) for name in ("n1", "n2", "n3", "n5")}

    made = old.changed("b", new.site, changed)

    assert (made.revision, set(made.nodes)) == ("b", {"n1", "n2", "n4", "n5"})
    assert made.nodes["n4"] is old.nodes["n4"]
    assert {mac: node.name for mac, node in made.by_mac.items()} == {MacAddress("52:54:00:00:00:01"): "n2"}
    assert {str(address): node.name for address, node in made.by_address.items()} == {
        "10.0.1.1": "n2",
        "10.0.1.2": "n1",
        "10.0.1.3": "n5",
        "10.0.1.4": "n4",
    }


def test_the_old_snapshot_stays_as_it_was() -> None:
    old = snapshot_of(NODES, "a")

    old.changed("b", old.site, {"n1": None})

    assert old.nodes["n1"] is old.by_address[IPv4Address("10.0.1.1")]
