"""Typed values and positions of mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.decode import Decoded, decode_groups, decode_nodes, decode_site, decode_text
from provisioner.config.emit import Writable, block
from provisioner.config.marked import parse
from provisioner.errors import ConfigError, Problem
from provisioner.model.written import Group, NodeEntry, Ports, Site


def site_of(text: str) -> tuple[Site | None, list[str]]:
    site, problems = decode_site(parse("p", text))
    return site, [str(problem) for problem in problems]


def nodes_of(text: str) -> Decoded[NodeEntry]:
    return decode_nodes(parse("n", text))


def places(problems: tuple[Problem, ...]) -> list[tuple[int, int, str]]:
    return [(each.line, each.column, each.message) for each in sorted(problems)]


def test_texts_become_numbers_addresses_and_choices() -> None:
    site, problems = site_of(
        "cluster: demo\nnetworks: {p: {cidr: 10.0.0.0/16, dhcp: off, dns: [10.0.0.2]}}\nports: {http: '8081'}\n"
    )

    assert problems == []
    assert site is not None
    assert (site.ports.http, site.networks["p"].dhcp, str(site.networks["p"].dns[0])) == (8081, "off", "10.0.0.2")


def test_every_mistake_of_a_site_is_found_at_once() -> None:
    _, problems = site_of(
        "cluster: demo\n"
        "networks:\n"
        "  p: {cidr: 10.0.0.1/16, dhpc: off, dns: [x]}\n"
        "  q:\n"
        "    dhcp: nope\n"
        "ports: {http: many}\n"
    )

    assert [problem.splitlines()[0] for problem in sorted(problems)] == [
        "p:3:13: '10.0.0.1/16' is not a valid IPv4 network",
        "p:3:26: unknown key 'dhpc'",
        "p:3:43: 'x' is not an IP address",
        "p:4:3: the key 'cidr' is missing",
        "p:5:11: 'nope' should be 'authoritative', 'proxy' or 'off'",
        "p:6:15: 'many' should be a valid integer, unable to parse string as an integer",
    ]
    assert "did you mean 'dhcp'?" in "".join(problems)


def test_an_empty_site_file_says_how_to_begin() -> None:
    site, (problem,) = site_of("# nothing\n")

    assert site is None
    assert "prov init" in problem


def test_keys_without_values_are_unset() -> None:
    (entry,) = nodes_of("nodes:\n  n1:\n    image:\n    interfaces: {eth0: }\n").entries

    assert entry.value == NodeEntry.model_validate({"interfaces": {"eth0": {}}})


def test_an_entry_with_nothing_in_it_is_a_node() -> None:
    (entry,) = nodes_of("nodes:\n  n[1-2]:\n").entries

    assert entry.names == ("n1", "n2")
    assert entry.value == NodeEntry()


def test_what_is_right_in_an_entry_is_kept_when_something_is_wrong() -> None:
    decoded = nodes_of("nodes:\n  n1: {imge: x, image: debian-12, tags: {a: [b], c: d}, groups: [a b, g]}\n")

    (entry,) = decoded.entries
    assert (entry.value.image, entry.value.tags, entry.value.groups) == ("debian-12", {"c": "d"}, ("g",))
    assert len(decoded.problems) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodes:\n  n1: {groups: compute}\n", (2, 16, "expected a list, found 'compute'")),
        ("nodes:\n  n1: [a]\n", (2, 3, "expected a mapping, found a list")),
        ("nodes:\n  n1: {interfaces: {eth0: {mac: zz}}}\n", (2, 33, "'zz' is not a MAC address")),
        ("nodes:\n  n[1-: {}\n", (2, 3, "'n[1-' is not a node set")),
        ("nodes: [n1]\n", (1, 8, "'nodes' must be a mapping")),
        ("nods: {}\n", (1, 1, "unknown key 'nods'")),
        ("- n1\n", (1, 1, "expected a mapping with the key 'nodes'")),
        ("nodes:\n  n1: {interfaces: {e/0: {}}}\n", (2, 21, "'e/0' is not an interface")),
    ],
)
def test_a_mistake_in_nodes_is_named_at_its_place(text: str, expected: tuple[int, int, str]) -> None:
    ((line, column, message),) = places(nodes_of(text).problems)

    assert (line, column) == expected[:2]
    assert message.startswith(expected[2])


def test_a_group_name_that_is_none_is_a_problem_at_the_key() -> None:
    decoded = decode_groups(parse("g", "groups:\n  a b: {}\n  c: {}\n"))

    assert [entry.names for entry in decoded.entries] == [("c",)]
    assert places(decoded.problems)[0][:2] == (2, 3)


@pytest.mark.parametrize("mac", ["52:54:00:00:00:01", "525400000001"])
def test_a_mac_that_reads_as_a_number_must_be_quoted(mac: str) -> None:
    (problem,) = nodes_of(f"nodes: {{n1: {{interfaces: {{eth0: {{mac: {mac}}}}}}}}}\n").problems

    assert "is not quoted" in problem.message
    assert problem.hint == f'write "{mac}"'


@pytest.mark.parametrize("mac", ['"52:54:00:00:00:01"', "52:54:00:00:00:0a", "52-54-00-00-00-01"])
def test_a_mac_that_is_text_for_every_reader_is_fine(mac: str) -> None:
    assert nodes_of(f"nodes: {{n1: {{interfaces: {{eth0: {{mac: {mac}}}}}}}}}\n").problems == ()


def test_one_file_can_be_one_model() -> None:
    assert decode_text("http: 8081\n", "f", Ports) == Ports(http=8081)
    assert decode_text("", "f", Ports) == Ports()


@pytest.mark.parametrize("text", ["http: x\n", "http: [\n", "htpt: 1\n"])
def test_one_file_with_a_mistake_raises_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_text(text, "f", Ports)

    assert len(caught.value.problems) == 1


names = st.sampled_from(["groups", "image", "tags", "interfaces", "kernel", "args", "mac", "eth0", "root", "x"])
data: st.SearchStrategy[Writable] = st.recursive(
    st.sampled_from(["a", "no", "12", "10.0.0.1", "a b", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=15,
)


@given(data)
def test_any_data_decodes_to_values_or_problems(written: Writable) -> None:
    decoded = decode_groups(parse("g", block({"groups": {"a": written}})))

    assert decoded.keys == ("a",)
    assert decoded.problems or [type(entry.value) for entry in decoded.entries] == [Group]
    assert all(problem.line > 0 and problem.hint for problem in decoded.problems)


def test_a_group_that_removes_groups_is_told_that_it_inherits_none() -> None:
    (problem,) = decode_groups(parse("g", "groups:\n  a:\n    ~groups:\n    groups: [b]\n")).problems

    assert (problem.line, problem.message) == (
        3,
        "'~groups' removes nothing: groups of weaker places are not inherited here",
    )
