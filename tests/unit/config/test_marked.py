"""YAML with positions."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.marked import LARGEST, Data, MarkedMap, Typed, parse, plain, typed


def data_of(text: str) -> Data:
    document = parse("f", text)
    assert not document.problems
    return plain(document.root)


@pytest.mark.parametrize("written", ["52:54:00:00:00:01", "no", "010", "1e3", "2024-01-01", "0x10", "true"])
def test_every_scalar_stays_text(written: str) -> None:
    assert data_of(f"a: {written}") == {"a": written}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("42", 42),
        ("-7", -7),
        ("0x1f", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("no", "no"),
        ("010", "010"),
        ("52:54:00:00:00:01", "52:54:00:00:00:01"),
        ("'42'", "42"),
        ("9" * 65, "9" * 65),
        ("~", None),
        ("[1, {a: true}]", [1, {"a": True}]),
    ],
)
def test_free_values_are_typed_as_yaml_1_2_types_them(written: str, value: Typed) -> None:
    root = parse("f", f"a: {written}").root
    assert isinstance(root, MarkedMap)
    assert typed(root.pairs[0].value) == value


@pytest.mark.parametrize("written", ["", "~", "null"])
def test_nothing_is_none(written: str) -> None:
    assert data_of(f"a: {written}") == {"a": None}


def test_a_quoted_null_is_text() -> None:
    assert data_of("a: '~'\nb: \"\"") == {"a": "~", "b": ""}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "---\n# only a comment\n"])
def test_an_empty_file_has_no_data(text: str) -> None:
    assert data_of(text) is None


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "the key 'a' is already at line 1"),
        ("a: &x b\n", 1, 4, "anchors and aliases"),
        ("a: *x\n", 1, 4, "anchors and aliases"),
        ("a:\n  <<: {b: c}\n", 2, 3, "merge keys"),
        ("a: !!python/object:os.system x\n", 1, 4, "the tag"),
        ("a: b\n---\nc: d\n", 2, 1, "a second document"),
        ("[a]: b\n", 1, 1, "a key must be a text"),
        ("a: b\n c: d\n", 2, 3, "not valid YAML"),
        ("a: \x01\n", 1, 4, "the character U+0001 is not allowed in YAML"),
        ("é: \x01\n", 1, 4, "the character U+0001 is not allowed in YAML"),
        ("a: b\nc: \x00\n", 2, 4, "the character U+0000 (NUL) is not allowed in YAML"),
        ("a: \x1b[2J\n", 1, 4, "the character U+001B (ESC) is not allowed in YAML"),
        ("a: \udcff\n", 1, 4, "the file is not UTF-8 text"),
        ('"\\0removed": b\n', 1, 1, "a key has the character U+0000 (NUL) in it"),
        ("[" * 30, 1, 21, "nested deeper"),
    ],
)
def test_what_makes_yaml_surprising_is_a_problem_with_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    (problem,) = parse("f", text).problems

    assert (problem.line, problem.column) == (line, column)
    assert problem.message.startswith(message)
    assert problem.hint


def test_of_duplicate_keys_the_first_counts_and_all_others_are_reported() -> None:
    document = parse("f", "a: 1\na: 2\nb: {c: 1, c: 2}\n")

    assert plain(document.root) == {"a": "1", "b": {"c": "1"}}
    assert [problem.line for problem in document.problems] == [2, 3]


def test_a_bomb_of_brackets_costs_no_time() -> None:
    start = time.perf_counter()

    document = parse("f", "[" * 1_000_000)

    assert document.problems
    assert time.perf_counter() - start < 1


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    (problem,) = parse("f", " " * (LARGEST + 1)).problems

    assert "larger than 8 MiB" in problem.message


def test_spans_cut_out_what_was_written() -> None:
    text = "# é\na: {b: 'x y'}   # c\nd:\n  - e\n  - f\n\n"
    root = parse("f", text).root
    assert isinstance(root, MarkedMap)

    spans = [text[pair.value.span.start : pair.value.span.end] for pair in root.pairs]

    assert spans == ["{b: 'x y'}", "- e\n  - f"]
    assert (root.pairs[1].key.span.line, root.pairs[1].key.span.column) == (3, 1)


@given(
    st.text(alphabet=st.characters(codec=None), max_size=60)
    | st.text(alphabet="ab:-[]{},#&*!|>'\"\n ~?%", max_size=60)
)
def test_any_text_gives_a_document(text: str) -> None:
    document = parse("f", text)

    assert document.root is not None or document.problems or plain(document.root) is None


@pytest.mark.parametrize("written", ["1e999", "-1e999", "1.5E400"])
def test_a_number_that_is_too_large_stays_text(written: str) -> None:
    root = parse("f", f"a: {written}\n").root

    assert root is not None
    assert typed(root) == {"a": written}
