"""Which entries of a text name a node."""

from __future__ import annotations

import pytest

from provisioner.registry.mention import entries_of

TEXT = """\
# n1 in a comment is no entry
nodes:
  n[1-3]: {groups: [g]}
  n1:
    image: a   # with a remark
  m1: {tags: {peer: n1}}
"""


def test_single_and_range_entries_are_found_as_they_are_written() -> None:
    assert entries_of(TEXT, "n1") == ("n[1-3]: {groups: [g]}", "n1:\n    image: a")
    assert entries_of(TEXT, "n3") == ("n[1-3]: {groups: [g]}",)
    assert entries_of(TEXT, "n4") == ()


@pytest.mark.parametrize(
    "text", ["", "nodes: {", "nodes: [n1]\n", "nodes:\n", "groups: {n1: {}}\n", "nodes: {'n[': }\n"]
)
def test_a_text_without_usable_entries_has_none(text: str) -> None:
    assert entries_of(text, "n1") == ()
