"""How groups come to a node, and what keeps them away."""

from __future__ import annotations

from provisioner.registry.inherit import linearise
from provisioner.registry.lineage import Removal, removals
from tests.support.view import MemoryView

GROUPS = """\
groups:
  deep: {}
  base: {groups: [deep]}
  shared: {}
  compute: {groups: [base, shared]}
  bare: {groups: [compute, ~base]}
"""


def found(nodes: str) -> list[tuple[str, str, str, tuple[str, ...]]]:
    view = MemoryView({"groups.d/g.yaml": GROUPS, "nodes.d/n.yaml": f"nodes:\n{nodes}"})
    entries = view.entries_of(["n1"])
    order = linearise([name for entry in entries for name in entry.value.groups], view.groups)
    removed: tuple[Removal, ...] = removals(entries, view.groups, order)
    return [(each.group, each.by, f"{each.source.file}:{each.source.line}", each.lost) for each in removed]


def test_a_group_that_an_entry_takes_away_is_named_with_all_that_goes_with_it() -> None:
    assert found("  n[1-2]: {groups: [compute]}\n  n1: {groups: [~base]}\n") == [
        ("base", "node n1", "nodes.d/n.yaml:3", ("base", "deep"))
    ]


def test_a_group_can_take_another_away() -> None:
    assert found("  n1: {groups: [bare]}\n") == [("base", "group bare", "groups.d/g.yaml:6", ("base", "deep"))]


def test_what_would_not_come_anyway_or_came_back_is_not_taken_away() -> None:
    assert found("  n1: {groups: [~base]}\n") == []
    assert found("  n1: {groups: [compute, ~base]}\n  n[1-2]: {groups: [base]}\n") == []
