"""The order of groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.decode import Entry, decode_groups
from provisioner.config.emit import block
from provisioner.config.marked import parse
from provisioner.model.written import Group
from provisioner.registry.inherit import DEEPEST, cycles, linearise


def groups_of(parents: dict[str, list[str]]) -> dict[str, Entry[Group]]:
    text = block({"groups": {name: {"groups": of} for name, of in parents.items()}})
    return {entry.names[0]: entry for entry in decode_groups(parse("g", text)).entries}


def test_a_groups_own_groups_are_weaker_than_the_group() -> None:
    groups = groups_of({"base": [], "compute": ["base"], "gpu": ["compute"]})

    assert linearise(["gpu"], groups) == ("base", "compute", "gpu")


def test_later_groups_are_stronger_and_each_stands_where_it_is_met_first() -> None:
    groups = groups_of({"base": [], "a": ["base"], "b": ["base", "a"]})

    assert linearise(["b", "a", "base"], groups) == ("base", "a", "b")
    assert linearise(["a", "b"], groups) == ("base", "a", "b")


def test_a_removed_group_takes_with_it_what_only_it_brought() -> None:
    groups = groups_of({"base": [], "net": ["base"], "gpu": ["net"], "compute": ["base"]})

    assert linearise(["gpu", "compute", "~gpu"], groups) == ("base", "compute")
    assert linearise(["gpu", "~net"], groups) == ("gpu",)
    assert linearise(["~gpu", "gpu"], groups) == ("base", "net", "gpu")


def test_a_group_removes_for_its_own_branch_only() -> None:
    groups = groups_of({"base": [], "a": ["base", "~base"], "b": ["base"]})

    assert linearise(["a"], groups) == ("a",)
    assert linearise(["a", "b"], groups) == ("a", "base", "b")


def test_a_group_that_does_not_exist_adds_nothing() -> None:
    assert linearise(["a", "x"], groups_of({"a": ["y"]})) == ("a",)


def test_a_cycle_is_named_at_the_reference_that_closes_it() -> None:
    (problem,) = cycles(groups_of({"a": ["b"], "b": ["c"], "c": ["b"]}))

    assert problem.message == "groups in a circle: b -> c -> b"
    assert (problem.line, problem.column) == (7, 14)


def test_a_group_in_itself_is_a_cycle() -> None:
    (problem,) = cycles(groups_of({"a": ["a"]}))

    assert problem.message == "groups in a circle: a -> a"


def test_a_chain_that_never_ends_is_a_problem_and_not_a_crash() -> None:
    chain = {f"g{index}": [f"g{index + 1}"] for index in range(3000)}
    groups = groups_of(chain)

    assert cycles(groups)
    assert len(linearise(["g0"], groups)) <= DEEPEST


@pytest.mark.parametrize("backwards", [False, True])
def test_a_chain_that_is_too_deep_is_a_problem_in_whatever_order_it_is_written(backwards: bool) -> None:
    numbers = range(DEEPEST + 3)
    chain = {f"g{index}": [f"g{index + 1}"] if index < numbers[-1] else [] for index in numbers}
    groups = groups_of({name: chain[name] for name in (reversed(chain) if backwards else chain)})

    (problem,) = cycles(groups)

    assert problem.message == f"groups are nested deeper than {DEEPEST} levels"
    assert problem.line == groups["g2"].place(("groups", 0)).line


@pytest.mark.parametrize("backwards", [False, True])
def test_the_deepest_chain_that_is_allowed_loses_nothing(backwards: bool) -> None:
    chain = {f"g{index}": [f"g{index + 1}"] if index < DEEPEST - 1 else [] for index in range(DEEPEST)}
    groups = groups_of({name: chain[name] for name in (reversed(chain) if backwards else chain)})

    assert cycles(groups) == []
    assert len(linearise(["g0"], groups)) == DEEPEST


names = st.sampled_from("abcdef")


@given(st.dictionaries(names, st.lists(names, max_size=4)), st.lists(names, max_size=4))
def test_every_order_has_each_group_once_and_without_cycles_parents_first(
    parents: dict[str, list[str]], chosen: list[str]
) -> None:
    groups = groups_of(parents)

    order = linearise(chosen, groups)

    assert len(set(order)) == len(order)
    assert {name for name in chosen if name in groups} <= set(order)
    if not cycles(groups):
        assert all(
            order.index(parent) < order.index(name)
            for name in order
            for parent in parents[name]
            if parent in groups
        )
