"""Edits that leave everything else alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from provisioner.config.emit import Writable, block, flow
from provisioner.config.marked import Data, parse, plain
from provisioner.config.splice import EditError, Path, delete_entry, set_value
from provisioner.errors import ConfigError

TEXT = """\
# top
nodes:   # all of them
  n[001-004]:  # a range
    groups:
      - compute   # first
      - "rack1"
    image: 'x'   # quoted
  # about n001
  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}   # one
  n002:
# end
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("nodes", "n[001-004]", "image"), "12", "image: 'x' ", 'image: "12" '),
        (
            ("nodes", "n[001-004]", "groups"),
            ["gpu"],
            '    groups:\n      - compute   # first\n      - "rack1"\n',
            "    groups: [gpu]\n",
        ),
        (("nodes", "n[001-004]", "script"), "boot", "# quoted\n", "# quoted\n    script: boot\n"),
        (("nodes", "n001", "interfaces", "eth0", "ip"), "10.0.1.1+", '01"}', '01", ip: 10.0.1.1+}'),
        (("nodes", "n002", "tags", "rack"), "r1", "n002:\n", "n002:\n    tags: {rack: r1}\n"),
        (("nodes", "n002"), "x", "n002:\n", "n002: x\n"),
        (("nodes", "n[7-8]"), {"image": "x"}, "# end", "  n[7-8]: {image: x}\n# end"),
        (("other", "a"), "b", "# end", "other: {a: b}\n# end"),
    ],
)
def test_setting_a_value_changes_nothing_else(path: Path, value: Writable, old: str, new: str) -> None:
    assert TEXT.count(old) == 1

    assert set_value(TEXT, path, value) == TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        (("nodes", "n001"), '  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}   # one\n'),
        (("nodes", "n[001-004]", "image"), "    image: 'x'   # quoted\n"),
        (("nodes", "n001", "interfaces", "eth0"), 'eth0: {mac: "52:54:00:00:00:01"}'),
        (("nodes", "n002"), "  n002:\n"),
    ],
)
def test_deleting_an_entry_changes_nothing_else(path: Path, gone: str) -> None:
    assert delete_entry(TEXT, path) == TEXT.replace(gone, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "nodes:\n  n1: {a: b}\n"),
        ("# none yet\n", "# none yet\nnodes:\n  n1: {a: b}\n"),
        ("nodes:", "nodes:\n  n1: {a: b}\n"),
        ("nodes:   # none\n", "nodes:   # none\n  n1: {a: b}\n"),
        ("nodes: ~\n", "nodes: {n1: {a: b}}\n"),
        ("nodes: {}\n", "nodes: {n1: {a: b}}\n"),
        ("nodes: {n0: {}}", "nodes: {n0: {}, n1: {a: b}}"),
        ("nodes:\n  n0: {}", "nodes:\n  n0: {}\n  n1: {a: b}\n"),
        ("nodes:\r\n  n0: {}\r\n", "nodes:\r\n  n0: {}\r\n  n1: {a: b}\r\n"),
        (
            "nodes:\n  n0:\n    x: |\n      y\n",
            "nodes:\n  n0:\n    x: |\n      y\n  n1: {a: b}\n",
        ),
    ],
)
def test_a_new_entry_goes_into_any_kind_of_file(text: str, expected: str) -> None:
    assert set_value(text, ("nodes", "n1"), {"a": "b"}) == expected


def test_a_block_scalar_is_replaced_as_a_whole() -> None:
    assert set_value("a: |\n  x\n  y\nb: c\n", ("a",), "z") == "a: z\nb: c\n"


def test_a_mac_is_always_quoted() -> None:
    assert set_value("{}", ("mac",), "52:54:00:00:00:01") == '{mac: "52:54:00:00:00:01"}'


def test_a_text_with_mistakes_is_not_edited() -> None:
    with pytest.raises(ConfigError, match="already at line 1"):
        set_value("a: 1\na: 2\n", ("b",), "c")


@pytest.mark.parametrize("text", ["a: b\n", "a: [b]\n", "- a\n"])
def test_a_value_that_is_no_mapping_takes_no_entry(text: str) -> None:
    with pytest.raises(EditError):
        set_value(text, ("a", "c"), "d")


def test_a_layout_that_a_splice_would_damage_is_refused() -> None:
    with pytest.raises(EditError, match="nothing was written"):
        set_value("? a\n: b\n", ("c",), "d")


def test_what_is_not_there_cannot_be_deleted() -> None:
    with pytest.raises(EditError, match=r"there is no entry 'nodes\.n9'"):
        delete_entry(TEXT, ("nodes", "n9"))


keys = st.from_regex(r"[a-z][a-z0-9]{0,3}", fullmatch=True)
scalars = st.sampled_from(
    ["x", "no", "52:54:00:00:00:01", "a b", "10.0.1.1+", "#", "'", '"', "a: b", "[", "ü", "|"]
)
entries: st.SearchStrategy[Writable] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
trees = st.dictionaries(keys, entries, min_size=1, max_size=4)
paths = st.lists(keys, min_size=1, max_size=3).map(tuple)


@given(trees, paths, entries, st.booleans())
def test_after_any_edit_the_text_means_the_edited_data(
    tree: dict[str, Writable], path: Path, value: Writable, flowing: bool
) -> None:
    text = flow(tree) if flowing else block(tree)
    if not _takes(tree, path):
        with pytest.raises(EditError, match="is not a mapping"):
            set_value(text, path, value)
        return

    edited = set_value(text, path, value)

    found: Data = plain(parse("f", edited).root)
    for step in path:
        assert isinstance(found, dict)
        found = found[step]
    assert found == value


def _takes(tree: Writable, path: Path) -> bool:
    if not path or not isinstance(tree, Mapping):
        return not path
    return path[0] not in tree or _takes(tree[path[0]], path[1:])


@given(trees, st.data(), st.booleans())
def test_setting_and_deleting_a_new_key_gives_the_old_text(
    tree: dict[str, Writable], data: st.DataObject, flowing: bool
) -> None:
    key = data.draw(keys)
    assume(key not in tree)
    text = flow(tree) if flowing else block(tree)

    assert delete_entry(set_value(text, (key,), "x"), (key,)) == text
