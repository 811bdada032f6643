"""Documents of changes."""

from __future__ import annotations

import pytest

from provisioner.errors import ConfigError
from provisioner.model.nodeset import expand
from provisioner.registry.applied import apply_documents
from provisioner.registry.manuscript import Texts
from provisioner.registry.nodeedits import NEW_NODES
from tests.support.view import MemoryView

VIEW = MemoryView(
    {
        "groups.d/g.yaml": "groups:\n  old: {image: a}   # first\n  gone: {}\n",
        "nodes.d/r.yaml": "nodes:\n  # the rack\n  n[1-4]: {groups: [old], image: a}\n  n2: {image: b}\n",
    }
)
ALL = """\
nodes:
  "@all": {tags: {rack: r1}}
  m9: {interfaces: {eth0: }, ~image: }
groups:
  new: {image: c}
  fresh: {tags: {a: b}}
unset:
  nodes: {n2: [image]}
  groups: {new: [image]}
delete:
  nodes: [n4]
  groups: [gone]
rename:
  groups: {old: new}
  nodes: {n3: m3}
"""


def members(text: str) -> tuple[str, ...]:
    return expand(text, lambda _, name: ("n1", "n2") if name == "*" else ())


def apply(text: str, view: MemoryView = VIEW) -> Texts:
    return apply_documents(view, [("change.yaml", text)], members)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        apply(text)
    return [f"{each.line}:{each.column} {each.message}" for each in caught.value.problems]


def test_a_document_is_worked_through_in_one_order_whatever_order_it_is_written_in() -> None:
    edited = apply(ALL)

    assert edited == {
        "groups.d/g.yaml": "groups:\n  new: {image: c}   # first\n",
        "groups.d/fresh.yaml": "groups:\n  fresh: {tags: {a: b}}\n",
        "nodes.d/r.yaml": (
            "nodes:\n  # the rack\n  n[1-2]: {groups: [new], image: a, tags: {rack: r1}}\n"
            "  m3: {groups: [new], image: a}\n  n2: {~image: }\n"
        ),
        NEW_NODES: "nodes:\n  m9: {interfaces: {eth0: {}}, ~image: }\n".replace("eth0: {}", "eth0: null"),
    }


def test_what_a_document_says_is_laid_over_what_is_there() -> None:
    edited = apply("nodes:\n  n2: {image: c, kernel: {args: [q]}}\n  n[1-4]: {script: boot}\n")

    assert edited["nodes.d/r.yaml"] == (
        "nodes:\n  # the rack\n  n[1-4]: {groups: [old], image: a, script: boot}\n"
        "  n2: {image: c, kernel: {args: [q]}}\n"
    )


def test_a_set_with_old_and_new_nodes_is_one_new_entry_behind_all_others() -> None:
    edited = apply("nodes:\n  n[4-6]: {image: c}\n")

    assert edited["nodes.d/r.yaml"].endswith("  n2: {image: b}\n  n[4-6]: {image: c}\n")  # type: ignore[union-attr]


def test_later_documents_build_on_earlier_ones() -> None:
    documents = [("a", "nodes: {x1: {image: a}}"), ("b", "nodes: {x1: {image: b}}\nrename: {nodes: {x1: x2}}")]

    assert (
        apply_documents(MemoryView({}), documents, expand)[NEW_NODES]
        == "nodes:\n  x2: {image: a}\n  x1: {image: b}\n"
    )


def test_an_empty_document_changes_nothing() -> None:
    assert apply("") == {}
    assert apply("nodes: {n2: {image: b}}\n") == {}


def test_every_mistake_of_all_documents_is_reported_with_its_place() -> None:
    assert problems(
        "nodes:\n  n1: {imge: a}\n  'n[1-': {}\nunset:\n  nodes: {n1: [mtuu]}\ndelete: [n1]\nmore: {}\n"
        "rename: {nodes: {'n[1-2]': x}, hosts: {}}\n"
    ) == [
        "2:8 unknown key 'imge'",
        "3:3 'n[1-' is not a node set: missing bracket: \"n[1-\"",
        "5:16 there is no field 'mtuu'",
        "6:1 'delete' must be a mapping",
        "7:1 unknown key 'more'",
        "8:28 2 names cannot become 1",
        "8:32 unknown key 'hosts'",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("delete:\n  nodes: [n1, n9]\n", "2:15 there is no node n9"),
        ("unset:\n  nodes:\n    n9: [image]\n", "3:5 there is no node n9"),
        ("delete: {groups: [old]}\n", "1:19 the group old is in use, by the nodes n[1-4] (4)"),
        ("unset: {groups: {old: [init]}}\n", "1:18 nothing sets init of the group old"),
        ("rename: {nodes: {n1: n2}}\n", "1:18 n2 exists already, at nodes.d/r.yaml:3"),
        ("rename: {groups: {old: gone}}\n", "1:19 the group gone exists already, at groups.d/g.yaml:3"),
    ],
)
def test_a_change_that_cannot_be_made_is_named_where_it_is_asked_for(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("entry", "written"),
    [
        ("{tags: {b: new, ~b: }}", "{tags: {b: new}}"),
        ("{tags: {b: new}, ~tags: }", "{~tags: , tags: {b: new}}"),
        ("{kernel: {args: [a], ~args: }}", "{kernel: {~args: , args: [a]}}"),
        ("{groups: [old], ~groups: }", "{~groups: , groups: [old]}"),
    ],
)
def test_a_value_beside_its_own_mark_means_anew_in_any_order(entry: str, written: str) -> None:
    texts = apply_documents(VIEW, [("d", f"nodes: {{n1: {entry}}}")], expand)

    assert (texts["nodes.d/r.yaml"] or "").splitlines()[-1] == f"  n1: {written}"


def test_a_group_has_no_groups_to_remove() -> None:
    with pytest.raises(ConfigError, match="'~groups' removes nothing"):
        apply_documents(VIEW, [("d", "groups: {old: {~groups: , groups: [gone]}}")], expand)
