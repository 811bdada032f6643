"""Texts compared and merged by lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.registry.merge import counts, merge, unified

TEXTS = st.text(alphabet="ab\n\r\f", max_size=24)
LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n"]), max_size=12)


@given(TEXTS, TEXTS)
def test_a_change_of_one_side_is_the_result(base: str, other: str) -> None:
    assert merge(base, other, base) == merge(base, base, other) == other


@given(TEXTS, TEXTS)
def test_what_both_change_alike_is_taken_once(base: str, other: str) -> None:
    assert merge(base, other, other) == other


@given(TEXTS, TEXTS, TEXTS)
def test_it_does_not_matter_which_side_is_ours(base: str, ours: str, theirs: str) -> None:
    assert merge(base, ours, theirs) == merge(base, theirs, ours)


@given(st.lists(st.tuples(st.integers(0, 2), LINES), max_size=8))
def test_changes_of_different_lines_are_both_there(parts: list[tuple[int, list[str]]]) -> None:
    """Blocks between unique lines: a block is changed by nobody (0), by us (1) or by them (2)."""

    def text(changed: set[int]) -> str:
        blocks = (
            f"block {number}\nold {number}\n" if side not in changed else "".join([f"block {number}\n", *new])
            for number, (side, new) in enumerate(parts)
        )
        return "".join(f"{block}end {number}\n" for number, block in enumerate(blocks))

    assert merge(text(set()), text({1}), text({2})) == text({1, 2})


def test_neighbouring_entries_are_different_entries() -> None:
    assert merge("n1: a\nn2: a\n", "n1: b\nn2: a\n", "n1: a\nn2: b\n") == "n1: b\nn2: b\n"


def test_the_same_line_cannot_be_changed_by_both() -> None:
    assert merge("n1: a\n", "n1: b\n", "n1: c\n") is None
    assert merge("n1: a\n", "", "n1: c\n") is None


def test_two_additions_in_one_place_have_no_order() -> None:
    assert merge("a\nz\n", "a\nb\nz\n", "a\nc\nz\n") is None


def test_an_entry_goes_away_under_one_that_was_added_after_it() -> None:
    assert merge("nodes:\n  n1: {}\n", "nodes:\n  n1: {}\n  n2: {}\n", "nodes:\n") == "nodes:\n  n2: {}\n"


def test_a_line_added_to_an_entry_that_goes_away_becomes_no_part_of_its_neighbour() -> None:
    base = "nodes:\n  n1:\n    image: x\n  n2:\n    image: y\n"

    assert merge(base, base + "    script: boot\n", "nodes:\n  n1:\n    image: x\n") is None


@given(LINES, LINES)
def test_added_lines_less_removed_ones_are_what_a_text_grew_by(old: list[str], new: list[str]) -> None:
    added, removed = counts("".join(old), "".join(new))

    assert added - removed == len(new) - len(old)
    assert 0 <= added <= len(new)
    assert (added + removed == 0) == (old == new)


def test_a_file_of_many_lines_that_are_all_others_is_one_difference() -> None:
    old, new = ("".join(f"{side} {number}\n" for number in range(5000)) for side in ("a", "b"))

    assert counts(f"head\n{old}tail\n", f"head\n{new}tail\n") == (5000, 5000)
    assert merge(old, new, old.replace("a 2500\n", "c\n")) is None


def test_a_diff_names_files_as_patch_wants_them() -> None:
    assert unified("f.yaml", "a\nb\n", "a\nc\n") == "--- a/f.yaml\n+++ b/f.yaml\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert unified("f.yaml", None, "a\n").startswith("--- /dev/null\n+++ b/f.yaml\n")
    assert unified("f.yaml", "a\n", None).startswith("--- a/f.yaml\n+++ /dev/null\n")


def test_a_last_line_without_an_end_is_told() -> None:
    assert unified("f", "a", "a\n").endswith("-a\n\\ No newline at end of file\n+a\n")
