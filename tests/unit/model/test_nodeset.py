"""Node sets."""

from __future__ import annotations

import operator
import pickle
import time
from collections.abc import Collection, Iterable

import pytest
from ClusterShell.NodeSet import NodeSet
from ClusterShell.NodeUtils import GroupResolver, GroupSource
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.model.nodeset import LONGEST_TEXT, MOST_NAMES, Members, NodesetError, expand, fold
from provisioner.model.pointed import PointedError

names = st.from_regex(r"[a-z][a-z0-9]{0,6}[0-9]{0,3}", fullmatch=True)
some_names = st.sets(st.sampled_from([f"n{number:03}" for number in range(12)]), min_size=1)

GROUPS = {
    ("", "compute"): [f"n{number}" for number in range(1, 9)],
    ("", "gpu"): ["n7", "n8", "n9", "n10"],
    ("", "none"): [],
    ("", "my.group_1"): ["n2"],
    ("", "*"): [f"n{number}" for number in range(1, 13)],
    ("rack", "r1"): ["n1", "n2", "n3"],
    ("rack", "r2"): ["n4", "n5"],
    ("rack", "*"): ["n1", "n2", "n3", "n4", "n5"],
    ("rack", "all"): ["n6"],
    ("room", "a:b"): ["n12"],
}


def members(source: str, name: str) -> Iterable[str]:
    if (source, name) not in GROUPS:
        raise LookupError(f"nothing is known of {name}")
    return GROUPS[source, name]


def every_group_is(nodes: Collection[str]) -> Members:
    return lambda _source, _name: nodes


def numbers(*wanted: int) -> tuple[str, ...]:
    return tuple(f"n{number}" for number in wanted)


def outcome(text: str, known: Members | None) -> tuple[str, ...] | NodesetError:
    try:
        return expand(text, known)
    except NodesetError as error:
        return error


def refusal(text: str, known: Members | None = members) -> NodesetError:
    with pytest.raises(NodesetError) as caught:
        expand(text, known)
    return caught.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n001", ("n001",)),
        ("n[001-003]", ("n001", "n002", "n003")),
        ("n[08-10]", ("n08", "n09", "n10")),
        ("n[1-9/4],m1", ("m1", "n1", "n5", "n9")),
        ("n[1-4]!n2", ("n1", "n3", "n4")),
        ("n[1-4]&n[3-9]", ("n3", "n4")),
        ("n[1-3]^n[3-4]", ("n1", "n2", "n4")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
        ("n[1-2]-ib0", ("n1-ib0", "n2-ib0")),
        (" n1 , n2 ", ("n1", "n2")),
        ("n[ 1 , 3-4 ]", ("n1", "n3", "n4")),
        ("n10,n9,n[09-10]", ("n9", "n09", "n10")),
        ("n1[08-11]", ("n108", "n109", "n110", "n111")),
        ("n[8-11]0", ("n80", "n90", "n100", "n110")),
        ("1[2-3]", ("12", "13")),
    ],
)
def test_the_dialect_of_admins_is_understood(text: str, expected: tuple[str, ...]) -> None:
    assert expand(text) == expected
    assert expand(text, members) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@compute", numbers(*range(1, 9))),
        ("@compute!@rack:r1", numbers(*range(4, 9))),
        ("@gpu&n[1-9]", numbers(7, 8, 9)),
        ("@gpu^@compute", numbers(*range(1, 7), 9, 10)),
        ("@rack:r[1-2]", numbers(1, 2, 3, 4, 5)),
        ("n11,@gpu", numbers(7, 8, 9, 10, 11)),
        (" @gpu ! n7 ", numbers(8, 9, 10)),
        ("@none,n1", numbers(1)),
        ("@my.group_1", numbers(2)),
        ("@room:a:b", numbers(12)),
        ("@*", numbers(*range(1, 13))),
        ("@all!@compute", numbers(*range(9, 13))),
        ("@rack:*", numbers(1, 2, 3, 4, 5)),
        ("@rack:all", numbers(6)),
        ("@*!@rack:*&@compute", numbers(6, 7, 8)),
    ],
)
def test_groups_stand_for_their_nodes_from_left_to_right(text: str, expected: tuple[str, ...]) -> None:
    assert expand(text, members) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n*", numbers(*range(1, 13))),
        ("*!n?", numbers(10, 11, 12)),
        ("n1?", numbers(10, 11, 12)),
        ("n[1-2]*", numbers(1, 2, 10, 11, 12)),
        ("?[2-3]", numbers(2, 3)),
        ("m*,n1", numbers(1)),
    ],
)
def test_wildcards_stand_for_the_nodes_that_match(text: str, expected: tuple[str, ...]) -> None:
    assert expand(text, members) == expected


@pytest.mark.parametrize(
    ("text", "reason", "offset"),
    [
        ("", "empty", 0),
        ("  ", "empty", 0),
        ("n[1-2]!n[1-2]", "empty", 6),
        ("n1,n2&n3,x*", "empty", 5),
        ("@none", "empty", 0),
        ("n1,n[1-3", "missing bracket", 4),
        ("n[1,[2]]", "missing bracket", 1),
        ("n[1-3]]", "closing bracket", 6),
        ("n1]", "closing bracket", 2),
        ("n[3-1]", "ends before it starts", 4),
        ("n[5,1-9/0]", "step is 0", 8),
        ("n[01-3]", "padding length", 5),
        ("n[9-010]", "padding length", 4),
        ("n[0-00]", "padding length", 4),
        ("n[0-9][0-9]", "two brackets", 6),
        ("n[0-9]5[0-9]", "two brackets", 7),
        ("n[1-9/2]0", "before digits", 5),
        ("n1,,n2", "nothing stands after ','", 2),
        ("n1, !n2", "nothing stands after ','", 2),
        ("n1&", "nothing stands after '&'", 2),
        (" ^n1", "nothing stands before '^'", 1),
        ("@compute,!n3", "nothing stands after ','", 8),
        ("n1,@compte!n3", "nothing is known of compte", 3),
        ("n1,@rack:r[1-3]", "nothing is known of r3", 3),
        ("@", "group is missing", 1),
        ("@rack:", "group is missing", 6),
        ("@:r1", "group is missing", 1),
        ("@@rack", "'@' has no meaning", 1),
        ("@r*", "'*' has no meaning", 2),
        ("@rack:r?", "'?' has no meaning", 7),
        ("@rack:٣x[1-2]", "has no meaning", 6),
        ("n1@compute", "'@' has no meaning", 2),
        ("n1 n2", "' ' has no meaning", 2),
        ("n1,n%s", "'%' has no meaning", 4),
        ("n_1", "'_' has no meaning", 1),
        ("n1,n2.example", "not a host name", 5),
        ("-n1", "not a host name", 0),
        ("n1,n2-", "not a host name", 5),
        ("n[1-4000000000/1000000000]", "range too large", 1),
        ("n1,m[1-2]0000000000", "range too large", 4),
        ("n[0-10]0", "padding length", 1),
        ("n" * 64, "not a host name", 63),
        ("n" * 300 + "[1-99999]", "too long", 0),
        ("n[1-1000000000]", "more than 100000", 0),
        ("n1,n[1-999999999999999999999]", "more than 18 digits", 7),
        ("a[1-1000]b[1-1000]", "more than 100000", 0),
        ("n[1-60000],m[1-60000]", "more than 100000", 11),
        ("n" * (LONGEST_TEXT + 1), "characters long", LONGEST_TEXT),
    ],
)
def test_what_is_no_node_set_is_refused_at_the_character(text: str, reason: str, offset: int) -> None:
    error = refusal(text)

    assert reason in error.reason
    assert error.offset == offset
    assert error.text == text


@pytest.mark.parametrize("text", ["n[1-3-30000000]", "n[1-8-2]", "n[-3]", "n[1-]", "n[]", "n[1-3,]", "n[1!2]"])
def test_a_range_that_is_none_is_refused_before_anything_is_expanded(text: str) -> None:
    assert "not a list of numbers and ranges" in refusal(text).reason


@pytest.mark.parametrize(
    ("text", "offset"), [("n1[8-11]", 2), ("m5,r1[1-12]", 5), ("n9999[0-99999]", 5), ("n0[8,10]", 2)]
)
def test_a_bracket_after_digits_that_other_programs_read_differently_is_refused(text: str, offset: int) -> None:
    error = refusal(text)

    assert "numbers of different lengths" in error.reason
    assert error.offset == offset


@pytest.mark.parametrize(
    ("text", "reason", "offset"),
    [
        ("n1,@compute", "names a group", 3),
        ("n1,n*", "'*' has no meaning here", 4),
        ("n?", "no nodes are known", 1),
    ],
)
def test_groups_and_wildcards_are_mistakes_where_no_nodes_are_known(text: str, reason: str, offset: int) -> None:
    error = refusal(text, None)

    assert reason in error.reason
    assert error.offset == offset


def test_a_pointer_stands_under_the_character() -> None:
    assert refusal("n1,@compte!n3").pointed().splitlines() == [
        "nothing is known of compte",
        "  n1,@compte!n3",
        "     ^",
    ]


def test_the_message_is_one_line() -> None:
    assert str(refusal("n[1-")) == "'n[1-' is not a node set: missing bracket: \"n[1-\""


@given(st.text(min_size=1, max_size=300), st.data())
def test_a_pointed_text_fits_into_72_columns_and_keeps_its_character(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))

    _, line, caret = PointedError(text, offset, "x").pointed().split("\n")

    column = caret.index("^")
    assert max(len(line), len(caret)) <= 72
    assert line[column : column + 1] in {text[offset : offset + 1], "?"}


def test_a_long_text_is_shown_around_the_character() -> None:
    text = "n1," * 50 + "@compte" + ",n1" * 50

    _, line, caret = refusal(text).pointed().splitlines()

    assert line.startswith("  ...")
    assert line.endswith("...")
    assert line[caret.index("^") :].startswith("@compte")


@pytest.mark.parametrize("length", [69, 70, 71, 300])
def test_the_end_of_a_text_is_shown_as_wide_as_there_is_room(length: int) -> None:
    _, line, caret = PointedError("n" * length, length, "x").pointed().splitlines()

    assert len(line) == 71
    assert len(caret) == 72


def test_an_error_survives_the_way_to_another_process() -> None:
    error = refusal("n1,@compte")

    again = pickle.loads(pickle.dumps(error))

    assert (str(again), again.pointed()) == (str(error), error.pointed())


def test_an_unknown_group_without_a_message_is_named() -> None:
    def nothing(source: str, name: str) -> Iterable[str]:
        raise LookupError

    assert refusal("@compute", nothing).reason == "there is no group compute"


def test_a_bomb_is_refused_before_it_is_expanded() -> None:
    start = time.perf_counter()

    assert "more than" in refusal(",".join(["n[1-99999]"] * 500)).reason

    assert time.perf_counter() - start < 1


def test_a_group_counts_with_its_size() -> None:
    half = [f"n{number}" for number in range(MOST_NAMES // 2)]

    assert len(expand("@a,@b", every_group_is(half))) == len(half)
    error = refusal("@a,@b,n1", every_group_is(half))

    assert "more than 100000" in error.reason
    assert error.offset == 3


def test_a_row_of_groups_is_refused_as_soon_as_it_is_too_large() -> None:
    asked = []

    def half(source: str, name: str) -> Iterable[str]:
        asked.append(name)
        return [f"n{number}" for number in range(MOST_NAMES // 2)]

    assert "more than 100000" in refusal("@rack:r[1-9]", half).reason
    assert len(asked) == 2


def test_a_wildcard_counts_with_the_nodes_that_match() -> None:
    half = [f"n{number}" for number in range(MOST_NAMES // 2)]

    assert len(expand("n*,n?*", every_group_is(half))) == len(half)
    assert "more than 100000" in refusal("n*,n?*,n1", every_group_is(half)).reason


def test_a_site_of_the_largest_size_can_be_named_at_once() -> None:
    every = [f"n{number}" for number in range(MOST_NAMES)]

    assert len(expand("@*", every_group_is(every))) == MOST_NAMES


def test_a_group_is_asked_for_once() -> None:
    asked = []

    def counting(source: str, name: str) -> Iterable[str]:
        asked.append((source, name))
        return members(source, name)

    expand("@compute,n[1-2]*,@compute,@*,n?,@rack:r1", counting)

    assert asked == [("", "compute"), ("", "*"), ("rack", "r1")]


def test_nothing_is_asked_for_a_text_that_is_wrong_further_on() -> None:
    def nobody(source: str, name: str) -> Iterable[str]:
        raise AssertionError("asked for a group of a text that is no node set")

    assert refusal("@compute,n[3-1]", nobody).offset == 13


@pytest.mark.parametrize("text", ["n*," * 20_000 + "n1", "n[1-90000]*", "*[1-9]*x*," * 5_000 + "n1"])
def test_wildcards_that_would_be_compared_too_often_are_refused(text: str) -> None:
    assert "too many wildcards" in refusal(text).reason


@given(st.sets(names, min_size=1, max_size=30))
def test_expanding_a_folded_set_gives_the_same_names(chosen: set[str]) -> None:
    assert set(expand(fold(chosen))) == chosen


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=1, max_size=20))
def test_numbers_of_different_padding_stay_different_nodes(drawn: list[tuple[int, int]]) -> None:
    chosen = {f"r{number:0{width}}n{width}" for number, width in drawn} | {f"n{n:0{w}}" for n, w in drawn}

    assert set(expand(fold(chosen))) == chosen


@given(some_names, st.lists(st.tuples(st.sampled_from(",!&^"), some_names, st.booleans()), max_size=6))
def test_operators_are_those_of_sets(first: set[str], rest: list[tuple[str, set[str], bool]]) -> None:
    python = {",": operator.or_, "!": operator.sub, "&": operator.and_, "^": operator.xor}
    text, expected, groups = fold(first), set(first), {}
    for number, (sign, names, as_group) in enumerate(rest):
        # A folded set may hold commas, so it is one operand only as a group or as a single name.
        operand = names if as_group else {min(names)}
        groups[f"g{number}"] = operand
        text += sign + (f"@g{number}" if as_group else min(names))
        expected = python[sign](expected, operand)

    found = outcome(text, lambda _source, name: groups[name])

    if isinstance(found, NodesetError):
        assert "no node is left" in found.reason
        assert not expected
    else:
        assert set(found) == expected


@given(st.text(alphabet="n019[]-,/!&^@ *?%x.:g", max_size=40) | st.text(max_size=40), st.booleans())
def test_any_text_is_a_set_of_names_or_an_error_inside_of_it(text: str, with_groups: bool) -> None:
    found = outcome(text, members if with_groups else None)

    if isinstance(found, NodesetError):
        assert 0 <= found.offset <= len(text)
        assert found.pointed().count("\n") == 2
        assert "\n" not in str(found)
    else:
        assert found
        assert len(set(found)) == len(found)


@given(st.sets(names, min_size=1, max_size=30))
def test_names_come_in_the_order_in_which_people_count(chosen: set[str]) -> None:
    found = expand(",".join(chosen))

    assert found == expand("@g", every_group_is(chosen))
    assert found == expand(fold(chosen))


def library() -> GroupResolver:
    """ClusterShell's own resolver over the same groups, in memory."""
    sources = {}
    for source, _ in GROUPS:
        held = {group: ",".join(nodes) for (place, group), nodes in GROUPS.items() if place == source}
        sources[source] = GroupSource(source or "site", held, ",".join(GROUPS.get((source, "*"), [])))
    resolver = GroupResolver(sources[""])
    for name, source in sources.items():
        if name:
            resolver.add_source(source)
    return resolver


digits = st.text(alphabet="0189", min_size=1, max_size=3)
ranges = st.builds("{}-{}".format, digits, digits) | st.builds("{}-{}/{}".format, digits, digits, digits)
brackets = st.lists(digits | ranges, min_size=1, max_size=3).map(",".join).map("[{}]".format)
single = st.lists(
    st.sampled_from(["n", "r1", "-ib", "x", "*", "?", "0", "7"]) | digits | brackets, min_size=1, max_size=5
)
groups = st.sampled_from(
    ["@compute", "@gpu", "@none", "@*", "@rack:r[1-2]", "@rack:*", "@room:a:b", "@my.group_[1]"]
)
operand = single.map("".join) | groups
texts = st.builds(
    lambda first, rest: first + "".join(f"{sign}{each}" for sign, each in rest),
    operand,
    st.lists(st.tuples(st.sampled_from([",", "!", "&", "^", " , "]), operand), max_size=3),
)


@given(texts)
@settings(max_examples=400)
def test_whatever_is_accepted_is_what_clustershell_makes_of_it(text: str) -> None:
    found = outcome(text, members)

    if not isinstance(found, NodesetError):
        assert set(found) == set(NodeSet(text, resolver=library()))


def test_nothing_folds_to_nothing() -> None:
    assert fold([]) == ""
