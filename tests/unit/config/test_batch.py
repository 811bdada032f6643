"""Many edits of one file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.batch import edit_many, edited_file
from provisioner.config.edits import Append, Copy, Cut, Drop, Edit, Paste, Put, Rename, Swap, Take
from provisioner.config.marked import parse, plain
from provisioner.config.splice import EditError
from provisioner.errors import ConfigError

TEXT = """\
# top
nodes:   # all
  # the rack
  n[001-004]:  # a range
    groups:
      - compute   # first
      - "rack1"
    image: 'x'   # quoted

  # about n001
  n001: {groups: [a, b], image: y}   # one
  n002:
# end
"""
RACK = ("nodes", "n[001-004]")
ONE = ("nodes", "n001")
TWO = ("nodes", "n002")


def changed(*edits: Edit) -> tuple[list[str], list[str]]:
    """The lines that edits took away and the lines that they brought."""
    before, after = TEXT.splitlines(), edit_many(TEXT, "nodes", edits).splitlines()
    return [line for line in before if line not in after], [line for line in after if line not in before]


@pytest.mark.parametrize(
    ("edit", "gone", "new"),
    [
        (Put((*RACK, "image"), "z"), ["    image: 'x'   # quoted"], ["    image: z   # quoted"]),
        (Put((*RACK, "tags", "a"), "b"), [], ["    tags: {a: b}"]),
        (Put((*TWO, "~image"), None), [], ["    ~image:"]),
        (Put(("nodes", "n3"), {"~image": None}), [], ["  n3: {~image: }"]),
        (Append((*RACK, "groups"), "c"), [], ["      - c"]),
        (Take((*RACK, "groups"), "rack1"), ['      - "rack1"'], []),
        (Swap((*RACK, "groups"), "compute", "gpu"), ["      - compute   # first"], ["      - gpu   # first"]),
        (Cut((*RACK, "image")), ["    image: 'x'   # quoted"], []),
        (
            Append((*ONE, "groups"), "c"),
            ["  n001: {groups: [a, b], image: y}   # one"],
            ["  n001: {groups: [a, b, c], image: y}   # one"],
        ),
        (
            Take((*ONE, "groups"), "a"),
            ["  n001: {groups: [a, b], image: y}   # one"],
            ["  n001: {groups: [b], image: y}   # one"],
        ),
        (Drop(ONE), ["  n001: {groups: [a, b], image: y}   # one"], []),
        (Drop(ONE, commented=True), ["  # about n001", "  n001: {groups: [a, b], image: y}   # one"], []),
        (Drop(ONE, cautious=True), [], []),
        (Drop(TWO, cautious=True), ["  n002:"], []),
        (Rename(RACK, "n[001-002]"), ["  n[001-004]:  # a range"], ["  n[001-002]:  # a range"]),
        (Paste(TWO, "# new\nn002: {a: b}\n"), ["  n002:"], ["  # new", "  n002: {a: b}"]),
    ],
)
def test_an_edit_changes_its_own_lines_only(edit: Edit, gone: list[str], new: list[str]) -> None:
    assert changed(edit) == (gone, new)


def test_a_copy_stands_behind_its_entry_with_its_comments() -> None:
    edited = edit_many(TEXT, "nodes", [Copy(RACK, "m1"), Rename(RACK, "n[001-003]")])

    body = "    groups:\n      - compute   # first\n      - \"rack1\"\n    image: 'x'   # quoted\n"
    assert f"  n[001-003]:  # a range\n{body}  m1:  # a range\n{body}\n  # about n001\n" in edited


def test_edits_of_many_entries_are_made_together() -> None:
    edits = [
        Put(("nodes", "z"), {"a": "b"}),
        Drop(TWO),
        Cut((*ONE, "image")),
        Put((*ONE, "script"), "s"),
        Rename(ONE, "z1"),
    ]

    expected = TEXT.replace("n001: {groups: [a, b], image: y}", "z1: {groups: [a, b], script: s}")
    assert edit_many(TEXT, "nodes", edits) == expected.replace("  n002:\n", "  z: {a: b}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "nodes:\n  a: {x: z}\n  # b\n  b: {}\n"),
        ("# none\n", "# none\nnodes:\n  a: {x: z}\n  # b\n  b: {}\n"),
        ("nodes:", "nodes:\n  a: {x: z}\n  # b\n  b: {}\n"),
        ("nodes: {}   # none\r\n", "nodes:   # none\r\n  a: {x: z}\r\n  # b\r\n  b: {}\r\n"),
        ("nodes: {c: {}}\n", "nodes: {c: {}, a: {x: z}, b: {}}\n"),
        ("{nodes: {}}\n", "{nodes: {a: {x: z}, b: {}}}\n"),
        ("nodes:\n   c: {}", "nodes:\n   c: {}\n   a: {x: z}\n   # b\n   b: {}\n"),
    ],
)
def test_new_entries_go_into_any_kind_of_file(text: str, expected: str) -> None:
    edits = [Put(("nodes", "a"), {"x": "z"}), Paste(("nodes", "b"), "# b\nb: {}\n")]

    assert edit_many(text, "nodes", edits) == expected


def test_entries_of_a_section_in_braces_are_edited_too() -> None:
    text = "nodes: {a: {x: y, l: [p, q]}, b: {}}\n"
    a, b = ("nodes", "a"), ("nodes", "b")
    edits = [Take((*a, "l"), "p"), Cut((*a, "x")), Copy(b, "c"), Rename(b, "d")]

    assert edit_many(text, "nodes", edits) == "nodes: {a: {l: [q]}, d: {}, c: {}}\n"
    assert edit_many(text, "nodes", [Drop(a), Paste(b, "b: {z: 1}\n")]) == "nodes: {b: {z: 1}}\n"


def test_two_entries_can_swap_their_keys() -> None:
    edits = [Rename(("nodes", "a"), "b"), Rename(("nodes", "b"), "a")]

    assert edit_many("nodes:\n  a: {x: 1}\n  b: {x: 2}\n", "nodes", edits) == "nodes:\n  b: {x: 1}\n  a: {x: 2}\n"


def test_a_file_that_would_hold_nothing_is_none() -> None:
    assert edited_file("nodes:\n  a: {}\n", "nodes", [Drop(("nodes", "a"))], "f") is None
    assert edited_file("# x\nnodes:\n  a: {}\n", "nodes", [Drop(("nodes", "a"))], "f") == "# x\nnodes:\n"


@pytest.mark.parametrize(
    "edit", [Rename(ONE, "n002"), Put(("nodes", "n9", "a"), "b"), Cut((*ONE, "x")), Append((*ONE, "image"), "x")]
)
def test_an_edit_that_would_damage_the_file_is_refused(edit: Edit) -> None:
    with pytest.raises(EditError):
        edit_many(TEXT, "nodes", [edit])


def test_a_file_with_mistakes_is_named_and_not_edited() -> None:
    with pytest.raises(ConfigError, match=r"nodes\.d/x\.yaml:2:3"):
        edit_many("nodes:\n  &x a: b\n", "nodes", [Drop(ONE)], "nodes.d/x.yaml")


values = st.sampled_from(["x", "no", "52:54:00:00:00:01", "", "~x", "a: b", "#"])
keys = st.sampled_from(["a", "b", "c", "n[1-2]"])


entries = st.dictionaries(keys, st.dictionaries(keys, values, max_size=3), max_size=3)


@given(entries, st.lists(st.tuples(keys, keys, values), max_size=8))
def test_the_edited_text_means_the_edited_data(
    data: dict[str, dict[str, str]], puts: list[tuple[str, str, str]]
) -> None:
    start = [Put(("nodes", key), value) for key, value in data.items()]
    text = edit_many("# top\n", "nodes", start)
    known = [put for put in puts if put[0] in data]

    edited = edit_many(text, "nodes", [Put(("nodes", key, field), value) for key, field, value in known])

    expected = {key: dict(value) for key, value in data.items()}
    for key, field, value in known:
        expected[key][field] = value
    assert plain(parse("f", edited).root) == ({"nodes": expected} if data else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodes: {\n  # c\n  }\n", "nodes:\n  n1: {}\n  # c\n"),
        ("nodes: { # c\n}  # d\n", "nodes: # c  # d\n  n1: {}\n"),
        ("nodes:\n  # c\n  {}\n", "nodes:\n  n1: {}\n  # c\n"),
    ],
)
def test_comments_of_an_empty_section_stay(text: str, expected: str) -> None:
    assert edit_many(text, "nodes", [Put(("nodes", "n1"), {})]) == expected


def test_a_file_whose_lines_end_with_cr_alone_is_refused_in_words() -> None:
    with pytest.raises(EditError, match="rack has lines that end with CR alone") as caught:
        edit_many("nodes:\r  n1: {}\r", "nodes", [Put(("nodes", "n2"), {})], "rack")

    assert caught.value.hint == "end them with LF, or with CR and LF, in an editor first"


def test_an_item_is_taken_each_time_that_it_is_there() -> None:
    text = "nodes:\n  n1:\n    groups:\n      - a   # first\n      - b\n      - a\n      - a\n"

    edited = edit_many(text, "nodes", [Take(("nodes", "n1", "groups"), "a")])

    assert edited == "nodes:\n  n1:\n    groups:\n      - b\n"
