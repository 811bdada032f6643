"""Entries in an editor."""

from __future__ import annotations

import pytest

from provisioner.errors import ConfigError, ConflictError, NotFoundError
from provisioner.registry.editing import (
    OvertakenError,
    entries_text,
    group_entries_text,
    with_edited_entries,
    with_edited_group_entries,
)
from tests.support.view import MemoryView

A, B = "nodes.d/a.yaml", "nodes.d/b.yaml"
TEXT_A = "nodes:\n    n[1-2]: {image: a}\n    # about n1\n    n1:   # one\n        image: b\n    n3: {}\n"
TEXT_B = "nodes: {n1: {script: boot}}\n"
VIEW = MemoryView({A: TEXT_A, B: TEXT_B, "groups.d/g.yaml": "groups:\n  # first\n  g: {image: a}\n"})
SHOWN = """\
# Shared with other nodes, and not changed here:
#   nodes.d/a.yaml:2  n[1-2]
nodes.d/a.yaml:
  # about n1
  n1:   # one
      image: b
nodes.d/b.yaml:
  n1: {script: boot}
"""


def test_the_entries_of_a_node_are_shown_by_file_with_their_comments() -> None:
    assert entries_text(VIEW, ["n1"]) == SHOWN


def test_a_node_without_entries_of_its_own_gets_an_empty_one() -> None:
    text = entries_text(VIEW, ["n2"])

    assert text.endswith("nodes.d/a.yaml:\n  n2: {}\n")
    assert with_edited_entries(VIEW, ["n2"], text) == {}
    assert with_edited_entries(VIEW, ["n2"], text.replace("{}", "{image: c}")) == {
        A: TEXT_A + "    n2: {image: c}\n"
    }


def test_what_was_not_edited_changes_nothing() -> None:
    assert with_edited_entries(VIEW, ["n1"], SHOWN) == {}


def test_an_edited_entry_is_put_back_where_it_was_with_its_indentation() -> None:
    edited = with_edited_entries(
        VIEW, ["n1"], SHOWN.replace("about n1", "n1 is odd").replace("image: b", "image: c")
    )

    assert edited == {A: TEXT_A.replace("about n1", "n1 is odd").replace("image: b", "image: c")}


def test_entries_can_be_added_and_removed() -> None:
    text = SHOWN.replace("  # about n1\n  n1:   # one\n      image: b\n", "  n4: {image: d}   # new\n")

    edited = with_edited_entries(VIEW, ["n1"], text)

    assert edited == {A: "nodes:\n    n[1-2]: {image: a}\n    n3: {}\n    n4: {image: d}   # new\n"}


def test_an_entry_of_a_file_in_braces_is_put_back_in_braces() -> None:
    edited = with_edited_entries(VIEW, ["n1"], SHOWN.replace("script: boot", "script: other"))

    assert edited == {B: "nodes: {n1: {script: other}}\n"}


def test_mistakes_are_named_by_the_lines_of_the_editor() -> None:
    with pytest.raises(ConfigError) as caught:
        with_edited_entries(VIEW, ["n1"], SHOWN.replace("image: b", "imge: b").replace(B, "/etc/passwd"))

    assert [(each.line, each.message) for each in caught.value.problems] == [
        (6, "unknown key 'imge'"),
        (7, "'/etc/passwd' is no file for nodes"),
    ]


@pytest.mark.parametrize(
    "file", ["../a.yaml", "nodes.d/../../a.yaml", "nodes.d", "groups.d/a.yaml", "nodes.d/.a.yaml", "nodes.d/a"]
)
def test_entries_go_to_no_other_place_than_the_files_for_them(file: str) -> None:
    with pytest.raises(ConfigError, match="is no file for nodes"):
        with_edited_entries(VIEW, ["n1"], f"{file}:\n  n1: {{}}\n")


def test_a_text_that_is_no_document_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected `FILE:` over entries"):
        with_edited_entries(VIEW, ["n1"], "just words\n")


def test_an_entry_that_was_not_opened_is_not_overwritten() -> None:
    with pytest.raises(ConflictError, match="has an entry n3 already"):
        with_edited_entries(VIEW, ["n1"], SHOWN.replace("  n1:   # one", "  n3:"))


def test_groups_are_edited_in_the_same_way() -> None:
    text = group_entries_text(VIEW, ["g"])

    assert text == "groups.d/g.yaml:\n  # first\n  g: {image: a}\n"
    assert with_edited_group_entries(VIEW, ["g"], text.replace(": a", ": b")) == {
        "groups.d/g.yaml": "groups:\n  # first\n  g: {image: b}\n"
    }
    assert with_edited_group_entries(VIEW, ["g"], "groups.d/g.yaml:\n") == {"groups.d/g.yaml": None}


def test_what_does_not_exist_cannot_be_edited() -> None:
    with pytest.raises(NotFoundError, match="there is no node n9"):
        entries_text(VIEW, ["n1", "n9"])
    with pytest.raises(NotFoundError, match="there is no group h"):
        group_entries_text(VIEW, ["h"])


def test_what_others_changed_meanwhile_stays() -> None:
    later = VIEW.after({A: TEXT_A.replace("n3: {}", "n3: {image: c}"), B: "nodes: {n1: {script: other}}\n"})

    texts = with_edited_entries(later, ["n1"], SHOWN.replace("image: b", "image: z"), SHOWN)

    assert texts == {A: later.contents[A].replace("image: b", "image: z")}


def test_different_fields_of_one_entry_are_joined() -> None:
    shown = f"{A}:\n  n1:\n    image: b\n    script: boot\n"
    view = MemoryView({A: "nodes:\n  n1:\n    image: b\n    script: other\n"})

    texts = with_edited_entries(view, ["n1"], shown.replace("image: b", "image: z"), shown)

    assert texts == {A: "nodes:\n  n1:\n    image: z\n    script: other\n"}


@pytest.mark.parametrize(
    "later",
    [
        TEXT_A.replace("image: b", "image: y"),
        TEXT_A.replace("n1:   # one", "n9:   # one"),
        TEXT_A[: TEXT_A.index("    # about")],
    ],
)
def test_the_same_entry_changed_by_two_is_refused(later: str) -> None:
    with pytest.raises(OvertakenError, match=f"{A}: the entry n1 was (changed|removed) by somebody else"):
        with_edited_entries(VIEW.after({A: later}), ["n1"], SHOWN.replace("image: b", "image: z"), SHOWN)


def test_an_entry_that_went_meanwhile_does_not_come_back() -> None:
    renamed = VIEW.after({A: TEXT_A.replace("n1:   # one", "n9:   # one")})

    texts = with_edited_entries(renamed, ["n1"], SHOWN.replace("script: boot", "script: other"), SHOWN)

    assert texts == {B: TEXT_B.replace("boot", "other")}


def test_a_node_that_went_meanwhile_gets_no_entry() -> None:
    shown = entries_text(VIEW, ["n2"])
    without = VIEW.after({A: TEXT_A.replace("n[1-2]", "n1")})

    with pytest.raises(OvertakenError, match="n2 was removed by somebody else"):
        with_edited_entries(without, ["n2"], shown.replace("n2: {}", "n2: {image: z}"), shown)


def test_a_group_that_was_renamed_meanwhile_does_not_come_back() -> None:
    shown = group_entries_text(VIEW, ["g"])
    renamed = VIEW.after({"groups.d/g.yaml": "groups:\n  # first\n  h: {image: a}\n"})

    with pytest.raises(OvertakenError, match="the entry g was removed"):
        with_edited_group_entries(renamed, ["g"], shown.replace("image: a", "image: z"), shown)


def test_ends_of_lines_are_no_change_by_somebody_else() -> None:
    view = MemoryView({A: "nodes:\r\n  n1:\r\n    image: b\r\n"})
    shown = entries_text(view, ["n1"])

    texts = with_edited_entries(view, ["n1"], shown.replace("image: b", "image: z"), shown)

    assert texts == {A: "nodes:\r\n  n1:\r\n    image: z\r\n"}
