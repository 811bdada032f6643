"""Words in place of what only one node has."""

from __future__ import annotations

import pytest

from provisioner.operations.likeness import Likeness
from tests.support import resolved

NODE = resolved.node("n1", interfaces=(resolved.interface(resolved.MAC1, 1),))


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        ("10.0.1.1/16", "{ip}/16"),
        ("10.0.1.10", "10.0.1.10"),
        ("n1", "{name}"),
        ("n10 xn1 n1x", "n10 xn1 n1x"),
        ("n1.cluster.local", "{name}.cluster.local"),
        ("-10.0.1.1 n1.cluster.local n1", "-{ip} {name}.cluster.local {name}"),
        ("http://10.0.0.1:8080/boot/52-54-00-00-00-01", "http://10.0.0.1:8080/boot/{mac}"),
        ("MACAddress=52:54:00:00:00:01", "MACAddress={mac}"),
        ("1.1.0.10.in-addr.arpa PTR", "{reverse of ip} PTR"),
        ("fd00::1", "{ip6}"),
        ("", ""),
    ],
)
def test_a_node_s_own_values_become_words(text: str, alike: str) -> None:
    assert Likeness(NODE).of(text) == alike


def test_what_a_node_had_before_is_told_apart_and_what_it_keeps_is_not() -> None:
    moved = resolved.node("n1", interfaces=(resolved.interface(resolved.MAC1, 9),))

    assert Likeness(moved, NODE).of("10.0.1.1 10.0.1.9 n1") == "{old ip} {ip} {name}"


def test_words_are_explained_where_they_occur() -> None:
    likeness = Likeness(NODE)

    assert likeness.meanings(["+address {ip}"]) == {"ip": "10.0.1.1"}
    assert likeness.meanings(["nothing of its own"]) == {}
