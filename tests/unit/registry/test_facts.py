"""Facts and how they are laid over each other."""

from __future__ import annotations

from provisioner.config.decode import Entry, decode_nodes
from provisioner.config.marked import parse
from provisioner.model.written import NodeEntry
from provisioner.registry.facts import facts_of, groups_of, merge, scalar


def entry_of(text: str) -> Entry[NodeEntry]:
    (entry,) = decode_nodes(parse("n", f"nodes: {{n1: {text}}}\n")).entries
    return entry


def test_facts_are_what_was_written_and_nothing_else() -> None:
    facts = facts_of(entry_of("{image: a, tags: {a.b: c}, interfaces: {eth0: }}"), "node n1")

    assert {path: fact.value for path, fact in facts.items()} == {
        ("image",): "a",
        ("tags", "a.b"): "c",
        ("interfaces", "eth0"): None,
    }
    assert str(facts["image",].sources[0]) == "n:1 (node n1)"
    assert facts["image",].sources[0].column == 21


def test_an_empty_list_is_said_and_differs_from_nothing() -> None:
    facts = facts_of(entry_of("{overlays: {runtime: []}}"), "node n1")

    assert facts["overlays", "runtime"].value == ()
    assert ("overlays", "system") not in facts


def test_merging_nothing_gives_nothing() -> None:
    assert merge([]) == {}
    assert scalar({}, "image") is None


def test_groups_of_several_entries_keep_their_order() -> None:
    assert groups_of(NodeEntry(groups=groups) for groups in (("a", "b"), ("c", "a"))) == ("a", "b", "c")
