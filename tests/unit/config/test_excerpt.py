"""Entries as pieces of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config import emit
from provisioner.config.excerpt import excerpts, indented, writable
from provisioner.config.marked import MarkedMap, Pair, parse, plain, typed


def section(text: str) -> Pair:
    root = parse("f", text).root
    assert isinstance(root, MarkedMap)
    return root.pairs[0]


def pieces(text: str) -> dict[str, str]:
    return {key: each.text for key, each in excerpts(text, section(text)).items()}


def test_an_entry_is_its_lines_and_the_comments_directly_above() -> None:
    text = "nodes:\n    # no more\n\n    # a\n    # b\n    n1:   # c\n        x: y   # d\n\n    n2: {}\n# end\n"

    assert pieces(text) == {"n1": "# a\n# b\nn1:   # c\n    x: y   # d\n", "n2": "n2: {}\n"}
    assert [each.line for each in excerpts(text, section(text)).values()] == [6, 9]


def test_line_ends_are_those_of_unix() -> None:
    assert pieces("nodes:\r\n  n1:\r\n    x: |\r\n      # no comment\r\n") == {
        "n1": "n1:\n  x: |\n    # no comment\n"
    }


def test_an_entry_that_cannot_stand_alone_as_written_is_written_anew() -> None:
    assert pieces('nodes: {n1: {x: "1", z: 1}}\n') == {"n1": 'n1: {x: "1", z: 1}\n'}
    assert pieces("nodes:\n    n1: {x: a\n  b}\n") == {"n1": "n1: {x: a\n  b}\n"}


def test_lines_are_moved_but_empty_ones_stay_empty() -> None:
    assert indented("a:\n\n  b: c\n", "  ", "\r\n") == "  a:\r\n\r\n    b: c\r\n"


scalars = st.sampled_from(["1", "01", "0x1f", "1.50", "true", "no", "x", '"1"', "'true'", "~", "1e3", '""'])


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "~c"]), scalars | st.lists(scalars, max_size=2).map(str), min_size=1
    )
)
def test_data_written_again_is_read_as_the_same_texts_and_types(data: dict[str, str]) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in data.items())
    root = parse("f", text).root
    assert root is not None

    again = parse("f", emit.block(writable(root))).root

    assert again is not None
    assert (plain(again), typed(again)) == (plain(root), typed(root))


def test_lines_of_spaces_are_lines_of_a_text_and_move_with_it() -> None:
    assert indented("a: |\n  b\n     \n  c\n", "  ", "\n") == "  a: |\n    b\n       \n    c\n"


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\u2028"])
def test_only_line_ends_end_a_line(character: str) -> None:
    assert indented(f"a: b  # x{character}y\n", "  ", "\n") == f"  a: b  # x{character}y\n"


def test_a_text_with_lines_of_spaces_is_the_same_when_it_is_put_back() -> None:
    text = "nodes:\n  n1:\n    resources:\n      motd: |\n        a\n           \n\n        b\n"

    moved = "nodes:\n" + indented(pieces(text)["n1"], "  ", "\n")

    assert plain(parse("f", moved).root) == plain(parse("f", text).root)
