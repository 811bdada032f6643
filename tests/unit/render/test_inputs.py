"""What a template reads is told by its text."""

from __future__ import annotations

import pytest

from provisioner.render.environment import Renderer
from provisioner.render.inputs import Read


def reads(source: str) -> set[Read]:
    return set(Renderer().inputs("t", source).reads)


def opens(source: str) -> tuple[str, ...]:
    return Renderer().inputs("t", source).opens


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("plain", set()),
        ("{{ node.name }}", {("node", "name")}),
        ("{{ node['name'] }}", {("node", "name")}),
        ("{{ site.ssh.admin_keys | length }}", {("site", "ssh", "admin_keys")}),
        ("{{ node.domain }}{{ node.tags.rack }}", {("node", "domain"), ("node", "tags", "rack")}),
        ("{% for key in site.ssh.admin_keys %}{{ key }}{% endfor %}", {("site", "ssh", "admin_keys")}),
        ("{{ site.networks[node.primary].cidr }}", {("site", "networks"), ("node", "primary")}),
        ("{% if head is defined %}{{ head.url }}{% endif %}", {("head",)}),
        ("{{ nodes[0].name }}", {("nodes",)}),
    ],
)
def test_the_parts_that_a_template_reads_are_found(source: str, found: set[Read]) -> None:
    assert reads(source) == found


@pytest.mark.parametrize(
    "source",
    [
        "{{ node }}",
        "{{ node.name }}{{ node }}",
        "{{ node | attr('name') }}",
        "{% set n = node %}{{ n.name }}",
        "{% macro m(n) %}{{ n.name }}{% endmacro %}{{ m(node) }}",
        "{% for n in [node] %}{{ n.name }}{% endfor %}",
        "{{ node[nothing.of] }}{{ nothing.of }}",
    ],
)
def test_a_variable_whose_use_cannot_be_followed_counts_as_read_whole(source: str) -> None:
    assert ("node",) in reads(source)


@pytest.mark.parametrize(
    "source",
    ["{% for node in nodes %}{{ node.name }}{% endfor %}", "{% set node = nodes[0] %}{{ node.name }}"],
)
def test_a_name_of_the_template_s_own_is_not_read_from_outside(source: str) -> None:
    assert Renderer().inputs("t", source).names == {"nodes"}


def test_a_variable_that_only_one_branch_sets_is_read_from_outside_as_well() -> None:
    source = "{% if cluster %}{% set node = nodes[0] %}{% endif %}{{ node.name }}"

    assert Renderer().inputs("t", source).names == {"cluster", "node", "nodes"}


def test_a_template_that_takes_in_others_reads_everything_that_it_names_whole() -> None:
    assert reads("{{ node.name }}{% include 'other' %}") == {("node",)}


def test_what_every_template_has_is_no_input() -> None:
    assert reads("{{ range(3) | list }}{{ file('etc/x') }}") == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("text", ()),
        ("{{ file('etc/x') }}", ("etc/x",)),
        ("{{ file('etc/' ~ node.name) }}{{ file('srv/y') }}", ("etc/", "srv/y")),
        ("{{ file(node.name) }}", ("",)),
        ("{{ 'x' | map(file) }}", ("",)),
        ("{% set open = file %}{{ open('x') }}", ("",)),
        ("{{ file() }}", ("",)),
    ],
)
def test_where_the_files_of_a_template_may_lie_is_known_as_far_as_it_is_written(
    source: str, found: tuple[str, ...]
) -> None:
    assert opens(source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{{ node.name }}", ()),
        ("a\n{{ secrets.munge }}\n{{ secrets['munge'] }}{{ secrets.app.base64 }}", (("app", 3), ("munge", 2))),
        ("{% if false %}{{ secrets['a.b'] | upper }}{% endif %}", (("a.b", 1),)),
        ("{% for secrets in nodes %}{{ secrets.name }}{% endfor %}", ()),
    ],
)
def test_the_secrets_that_a_template_may_print_are_found_with_their_lines(
    source: str, found: tuple[tuple[str, int], ...]
) -> None:
    assert Renderer().inputs("t", source).secrets == found


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{{ node.bmc.password }}", 1),
        ("\n{% for each in nodes %}{{ each.bmc.password }}{% endfor %}", 2),
        ("{% set bmc = node.bmc %}\n{{ bmc['password'] | shell }}", 2),
        ("{{ node.bmc\n| attr('password') }}", 2),
        ("{{ node.bmc.username }} password", 0),
        ("{% if rule.password %}x{% endif %}", 0),
    ],
)
def test_a_template_that_may_print_a_password_of_a_node_is_found_with_its_line(source: str, line: int) -> None:
    assert Renderer().inputs("t", source).password == line
