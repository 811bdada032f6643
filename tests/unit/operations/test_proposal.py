"""Which node an unknown machine is proposed to be, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.address import MacAddress
from provisioner.model.discovery import Discovery
from provisioner.model.machine import Shown
from provisioner.model.resolved import ResolvedNode
from provisioner.operations.proposal import ALIVE, Kind, Proposal, Surroundings, propose
from tests.support import resolved

_NOW = 1_000_000.0
_MAC = "52:54:00:aa:00:99"
_UUID = "4c4c4544-0000-1000-8000-000000000001"


def _node(name: str, *, mac: str | None = None, **changes: Any) -> ResolvedNode:
    address = MacAddress(mac) if mac else None
    return resolved.node(name, mac=address, host=int(name[1:]), **changes)


def _machine(mac: str = _MAC, *, first: float = 1.0, **shown: Any) -> Shown:
    return Shown(mac, first, first, told=True, **shown)


def _proposals(
    *machines: Shown,
    nodes: tuple[ResolvedNode, ...] = (),
    policy: Discovery | None = None,
    seen: Mapping[str, float] | None = None,
    places: Mapping[str, str] | None = None,
) -> list[Proposal]:
    named = {node.name: node for node in nodes}
    return list(propose(machines, Surroundings(named, policy or Discovery(), _NOW, seen or {}, places or {})))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ({"uuid": UUID(_UUID)}, {"uuid": _UUID.upper()}),
        ({"serial": "ABC-1"}, {"serial": "abc-1"}),
        ({"asset": "R17"}, {"asset": "R17"}),
    ],
)
def test_a_node_that_waits_for_what_a_machine_shows_gets_it(
    written: dict[str, Any], shown: dict[str, Any]
) -> None:
    found = _proposals(_machine(**shown), nodes=(_node("n001"), _node("n002", **written)))[0]

    assert (found.kind, found.node) == (Kind.FILL, "n002")
    assert found.score >= 80
    assert found.is_safe


def test_the_strongest_evidence_counts() -> None:
    nodes = (_node("n001", asset="R17"), _node("n002", uuid=UUID(_UUID)))

    assert _proposals(_machine(uuid=_UUID, asset="R17"), nodes=nodes)[0].node == "n002"


def test_evidence_that_fits_two_nodes_equally_proposes_nothing() -> None:
    nodes = (_node("n001", serial="A11"), _node("n002", serial="A11"))

    found = _proposals(_machine(serial="A11"), nodes=nodes)[0]

    assert (found.kind, found.node) == (Kind.NONE, None)
    assert "n001 and n002 fit equally well" in found.doubts


def test_another_mac_with_the_serial_number_of_a_silent_node_replaces_its_machine() -> None:
    node = _node("n001", mac="52:54:00:11:22:33", serial="A11")

    found = _proposals(_machine(serial="A11"), nodes=(node,), seen={"52:54:00:11:22:33": _NOW - 2 * ALIVE})[0]

    assert (found.kind, found.node) == (Kind.REPLACE, "n001")
    assert not found.is_safe


def test_another_port_of_a_machine_that_lives_takes_nothing_from_it() -> None:
    node = _node("n001", mac="52:54:00:11:22:33", serial="A11")

    found = _proposals(_machine(serial="A11"), nodes=(node,), seen={"52:54:00:11:22:33": _NOW - 300})[0]

    assert found.kind is Kind.NONE
    assert "another port" in found.doubts[0]


def test_a_machine_at_the_port_of_a_silent_node_replaces_its_machine() -> None:
    node = _node("n001", mac="52:54:00:11:22:33")
    machine = _machine(relay="10.1.0.1", circuit="Eth1/17")

    found = _proposals(machine, nodes=(node,), places={"n001": "10.1.0.1 Eth1/17"})[0]

    assert (found.kind, found.node) == (Kind.REPLACE, "n001")
    assert found.reasons[0] == "at the port of n001: 10.1.0.1 Eth1/17"


def test_a_node_that_is_written_with_its_port_gets_the_machine_there() -> None:
    found = _proposals(_machine(switch="sw1", port="7"), nodes=(_node("n001", tags={"port": "SW1 7"}),))[0]

    assert (found.kind, found.node) == (Kind.FILL, "n001")


def test_a_mac_with_a_typing_mistake_is_proposed_for_its_node_until_that_was_seen() -> None:
    node = _node("n001", mac="52:54:00:aa:00:98")

    assert _proposals(_machine(), nodes=(node,))[0].node == "n001"
    assert _proposals(_machine(), nodes=(node,), seen={"52:54:00:aa:00:98": _NOW})[0].node is None


def test_machines_that_nothing_is_known_of_get_free_names_in_the_order_of_their_arrival() -> None:
    nodes = (_node("n001", mac="52:54:00:11:22:33"), _node("n002"), _node("n003", serial="A11"))
    machines = [_machine(f"02:00:00:00:00:0{number}", first=9.0 - number) for number in range(3)]

    found = _proposals(*machines, nodes=nodes, policy=Discovery(names="n[001-005]"))

    assert [(each.machine.mac[-1], each.node, each.kind) for each in found] == [
        ("2", "n002", Kind.FILL),
        ("1", "n004", Kind.NEW),
        ("0", "n005", Kind.NEW),
    ]


def test_without_a_policy_discoverable_nodes_take_machines() -> None:
    nodes = (_node("n001"), _node("n002", discoverable=True))

    assert _proposals(_machine(), nodes=nodes)[0].node == "n002"


def test_where_no_name_is_free_nothing_is_proposed() -> None:
    found = _proposals(
        _machine(), policy=Discovery(names="n001"), nodes=(_node("n001", mac="52:54:00:11:22:33"),)
    )[0]

    assert (found.kind, found.reasons) == (Kind.NONE, ("no node fits, and no name is free",))


def test_machines_that_show_the_same_are_in_doubt() -> None:
    machines = [_machine(f"02:00:00:00:00:0{number}", serial="SAME-1") for number in range(2)]

    found = _proposals(*machines, policy=Discovery(names="n[001-005]"))

    assert all(each.doubts == ("another waiting machine shows the same serial",) for each in found)
    assert not any(each.is_safe for each in found)


def test_ignored_machines_and_nodes_are_left_out() -> None:
    policy = Discovery.model_validate({"ignore": [_MAC]})

    assert (
        _proposals(
            _machine(),
            _machine("52:54:00:11:22:33"),
            policy=policy,
            nodes=(_node("n001", mac="52:54:00:11:22:33"),),
        )
        == []
    )


_FEW = st.lists(
    st.builds(
        Shown,
        mac=st.integers(0, 40).map(lambda number: f"02:00:00:00:00:{number:02x}"),
        first=st.floats(0, 10),
        last=st.just(10.0),
        serial=st.sampled_from([None, "A11", "B22", "none"]),
        circuit=st.sampled_from([None, "Eth1", "Eth2"]),
    ),
    max_size=8,
    unique_by=lambda each: each.mac,
)


@given(_FEW)
def test_no_node_is_ever_proposed_for_two_machines(machines: list[Shown]) -> None:
    nodes = (_node("n001", serial="A11"), _node("n002", tags={"port": "Eth1"}), _node("n003"))

    found = _proposals(*machines, nodes=nodes, policy=Discovery(names="n[001-006]"))

    names = [each.node for each in found if each.node]
    assert len(names) == len(set(names))
    assert len(found) == len(machines)
    assert [each.machine.first for each in found] == sorted(each.first for each in machines)
