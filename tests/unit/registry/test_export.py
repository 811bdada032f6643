"""Entries as documents for other sites."""

from __future__ import annotations

import pytest

from provisioner.errors import NotFoundError
from provisioner.model.nodeset import expand
from provisioner.registry.applied import apply_documents
from provisioner.registry.export import export_groups, export_nodes
from tests.support.view import MemoryView

GROUPS = "groups:\n    # everything\n    base:\n        image: a   # for now\n    gpu: {groups: [base]}\n"
VIEW = MemoryView(
    {
        "groups.d/g.yaml": GROUPS,
        "nodes.d/a.yaml": (
            "nodes:\r\n  # about the rack\r\n  n[1-4]:\r\n    groups: [gpu]   # all\r\n"
            "  n2: {image: b}\r\n  n3: {}\r\n"
        ),
        "nodes.d/b.yaml": "nodes: {n3: {tags: {x: '64'}, resources: {cores: 64, t: '64'}}}\n",
    }
)


def test_nodes_are_exported_as_they_are_written_with_their_comments() -> None:
    assert export_nodes(VIEW, ["n1", "n2"]) == (
        "nodes:\n  # about the rack\n  n[1-2]:\n    groups: [gpu]   # all\n  n2: {image: b}\n"
    )


def test_a_node_with_two_entries_of_the_same_key_gets_one_that_says_all() -> None:
    text = export_nodes(VIEW, ["n2", "n3", "n4"])

    assert text == (
        "nodes:\n  # about the rack\n  n[2,4]:\n    groups: [gpu]   # all\n  n2: {image: b}\n"
        '  n3: {groups: [gpu], tags: {x: "64"}, resources: {cores: 64, t: "64"}}\n'
    )


def test_groups_are_exported_as_they_are_written() -> None:
    assert export_groups(VIEW, ["gpu", "base"]) == (
        "groups:\n  gpu: {groups: [base]}\n  # everything\n  base:\n      image: a   # for now\n"
    )


def test_what_does_not_exist_is_not_exported() -> None:
    with pytest.raises(NotFoundError, match="there is no node n9"):
        export_nodes(VIEW, ["n1", "n9"])
    with pytest.raises(NotFoundError, match="there is no group h"):
        export_groups(VIEW, ["h"])


def test_an_export_makes_the_same_nodes_on_an_empty_site() -> None:
    names = list(VIEW.nodes())
    documents = [("groups", export_groups(VIEW, VIEW.groups)), ("nodes", export_nodes(VIEW, names))]
    empty = MemoryView({})

    assert empty.after(apply_documents(empty, documents, expand)).nodes() == VIEW.nodes()
