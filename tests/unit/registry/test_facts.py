"""Facts and how they are laid over each other."""

from __future__ import annotations

from provisioner.config.decode import Entry, decode_nodes
from provisioner.config.marked import parse
from provisioner.model.written import NodeEntry
from provisioner.registry.facts import Facts, facts_of, groups_of, merge, scalar, tree


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


def test_an_entry_that_removes_the_groups_names_all_that_count() -> None:
    texts = ("{groups: [a, b]}", "{~groups: , groups: [c]}", "{groups: [d]}")

    assert groups_of(entry_of(text).value for text in texts) == ("c", "d")


def merged(*texts: str) -> Facts:
    return merge(facts_of(entry_of(text), f"entry {index}") for index, text in enumerate(texts))


def test_a_resource_that_is_a_value_takes_the_place_of_a_map_and_the_other_way_round() -> None:
    one, other = "{resources: {r: {u: 1, s: {t: 2}}}}", "{resources: {r: 5}}"
    facts = merged(one, other, "{resources: {r: {v: 2}}}")

    assert tree(merged(one, other), "resources") == {"r": 5}
    assert tree(facts, "resources") == {"r": {"v": 2}}
    assert [source.entry for fact in facts.values() for source in fact.sources] == ["entry 2"]


def test_a_map_that_was_removed_is_there_again_with_its_first_key() -> None:
    disk = "{disks: {/dev/sda: {partitions: {a: {}}}}}"
    again = "{disks: {/dev/sda: {~partitions: , partitions: {b: {}}}}}"

    assert list(tree(merged(disk, again), "disks", "/dev/sda")["partitions"]) == ["b"]
    assert list(tree(merged(disk, "{disks: {/dev/sda: {~partitions: }}}", disk), "disks", "/dev/sda")) == [
        "partitions"
    ]
