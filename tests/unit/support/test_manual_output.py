from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.manual_output import Shown

ONE, TWO = "a676e43b235d70d1", "fe04d1fbd967b9a6"
RUN_ONE, RUN_TWO = "0123456789abcdef", "fedcba9876543210"


def matches(wanted: str, got: str) -> bool:
    return Shown().matches(wanted.splitlines(), got)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["C"])), max_size=5))
def test_what_is_printed_as_promised_matches(lines: list[str]) -> None:
    assert Shown().matches(lines, "".join(f"{line}\n" for line in lines))


@given(st.text("ab []()\\*+^$?", min_size=1), st.text("ab []()\\*+^$?"))
def test_a_line_without_placeholders_stands_for_itself_but_for_its_blanks(wanted: str, got: str) -> None:
    same = [re.sub(r"(?<=\S) +", " ", line).rstrip() for line in (wanted, got)]

    assert matches(wanted, got + "\n") == (same[0] == same[1])


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("...\nb\n...", "a\nb\nc\nd\n"),
        ("...\nb\n...", "b\n"),
        ("  ...\nb", "a\nb\n"),
        ("read ... (done)", "read the whole tree (done)\n"),
        ("process …, revision", "process 4711, revision\n"),
        ("kernel 6.1.0-…-amd64", "kernel 6.1.0-56-cloud-amd64\n"),
        ("ready after 75.3 s, n001", "ready after 8 min, n001\n"),
        ("started 2026-11-20T21:46:01Z", "started 2027-01-02T03:04:05Z\n"),
        ("kernel.sent  14186432  190 ms", "kernel.sent     512  9.5 s\n"),
        ("NAME  IP", "NAME      IP  \n"),
        ("\n", "\n"),
    ],
)
def test_placeholders_and_examples_stand_for_what_came(wanted: str, got: str) -> None:
    assert matches(wanted, got)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("one", "two\n"),
        ("one", "one\ntwo\n"),
        ("one\ntwo", "one\n"),
        ("process …, revision", "process 4 7, revision\n"),
        ("a ... b", "a\nb\n"),
        ("10.0.1.1", "10.0.1.2\n"),
        ("10.0.1.1", "10.0.1a1\n"),
        ("4 nodes", "5 nodes\n"),
        ("port 80", "port 81\n"),
        ("    hint", "hint\n"),
        ("deadbeef", "beefdead\n"),
    ],
)
def test_everything_else_must_be_what_the_page_says(wanted: str, got: str) -> None:
    assert not matches(wanted, got)


def test_the_same_identifier_is_the_same_throughout_a_page() -> None:
    shown = Shown()

    assert shown.matches([f"{ONE} and {ONE}"], f"{RUN_ONE} and {RUN_ONE}\n")
    assert shown.matches([f"debian-12@1 {ONE[:8]}", ONE], f"debian-12@1 {RUN_ONE[:8]}\n{RUN_ONE}\n")
    assert not shown.matches([ONE], f"{RUN_TWO}\n")
    assert not Shown().matches([f"{ONE} and {ONE}"], f"{RUN_ONE} and {RUN_TWO}\n")


def test_another_identifier_is_another_one_in_the_run_too() -> None:
    shown = Shown()
    assert shown.matches([ONE], f"{RUN_ONE}\n")

    assert not shown.matches([TWO], f"{RUN_ONE}\n")
    assert shown.matches([TWO], f"{RUN_TWO}\n")


def test_a_difference_shows_only_the_lines_that_differ() -> None:
    text = Shown().difference(["took 3 s", "4 nodes", "..."], "took 9 s\n5 nodes\nmore\n")

    marked = [line for line in text.splitlines() if line[0] in "+-"]
    assert marked == ["--- wanted", "+++ got", "-4 nodes", "-...", "+5 nodes", "+more"]
