"""Data as YAML."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config import emit
from provisioner.config.emit import Writable
from provisioner.config.marked import parse, plain

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "52:54:00:00:00:01",
        "no",
        "010",
        "1.5",
        "0x1f",
        "10.0.1.1+",
        "n[001-004]",
        "~",
        "<<",
        "=",
        ".inf",
        "1_0",
        "2024-01-01",
    ]
)
# The parser refuses keys with this character.
keys = texts.filter(lambda text: "\0" not in text)
values = st.recursive(
    texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("text", ["debian-12", "10.0.1.7", "10.0.1.1+", "10.0.0.0/16", "n001", "cluster.local"])
def test_what_no_reader_misunderstands_is_written_plain(text: str) -> None:
    assert emit.scalar(text) == text


@pytest.mark.parametrize("text", ["52:54:00:00:00:01", "no", "on", "12", "1.5", "", "a b", "a,b", "~", "fd00::1"])
def test_what_a_reader_could_misunderstand_is_quoted(text: str) -> None:
    assert emit.scalar(text) == f'"{text}"'


def test_a_node_set_is_a_plain_key_of_a_block_only() -> None:
    assert emit.key("n[001-004]") == "n[001-004]"
    assert emit.flow({"n[1-2]": "a"}) == '{"n[1-2]": a}'


@given(values)
def test_our_parser_reads_back_what_was_written(value: Writable) -> None:
    for text in (f"a: {emit.flow(value)}\n", emit.block({"a": value})):
        document = parse("f", text)
        assert not document.problems
        assert plain(document.root) == {"a": value}


@given(values)
def test_another_reader_understands_the_same(value: Writable) -> None:
    assert yaml.safe_load(emit.block({"a": value})) == {"a": value}


def test_a_block_shows_lists_of_records_in_lines() -> None:
    rows: list[Writable] = [{"name": "n1", "n": 1, "on": True, "none": None}, {"name": "n2", "groups": []}]

    assert emit.block(rows) == '- name: n1\n  "n": 1\n  "on": true\n  none: null\n- name: n2\n  groups: []\n'


def test_a_mark_that_removes_has_nothing_behind_it() -> None:
    assert emit.block({"~image": None, "tags": {"~rack": None, "a": "b"}}) == "~image:\ntags:\n  ~rack:\n  a: b\n"
    assert emit.flow({"~image": None, "args": ["~quiet"]}) == "{~image: , args: [~quiet]}"
    assert yaml.safe_load(emit.flow({"~image": None, "a": "~b"})) == {"~image": None, "a": "~b"}


def test_an_entry_that_is_too_wide_for_a_line_gets_a_line_for_each_field() -> None:
    wide = {"args": ["x" * 60, "y" * 60], "image": "a"}

    assert emit.entry("n1", {"image": "a"}, "  ") == "  n1: {image: a}\n"
    assert emit.entry("n1", wide, "  ") == f"  n1:\n    args: [{'x' * 60}, {'y' * 60}]\n    image: a\n"
