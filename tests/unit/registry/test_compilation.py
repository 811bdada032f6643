"""A compilation that begins with another revision gives what one from nothing gives, whatever was edited."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.config.decode import Decoded
from provisioner.config.paths import Paths
from provisioner.model.catalogue import Catalogue
from provisioner.model.written import NodeEntry
from provisioner.registry.collect import FileKind, SourceFile, overlay_names, script_names, site_files
from provisioner.registry.compiler import Compilation, compile_files
from provisioner.registry.load import examine
from provisioner.registry.published import Published
from provisioner.registry.schema import SCHEMA
from provisioner.registry.sources import Sources
from tests.support.site import SITE

Files = dict[str, list[str]]
Edit = tuple[str, list[str] | tuple[str, str] | None]
PATHS = Paths.below(Path("/nonexistent"))
TABLES = re.findall(r"CREATE TABLE (\w+)", SCHEMA)
TWO_NETWORKS = SITE + "  second: {cidr: 10.9.0.0/24, domain: second.local}\n"

NODE_SETS = ("n1", "n2", "n[1-3]", "n[2-5]", "N2", "n1-eth1", "provisioner", "n[1", "x" * 60)
GROUPS = ("g1", "g2", "g3", "g4")
VALUES = (
    "image: a",
    "tags: {t: x}",
    "overlays: {system: [motd]}",
    "overlays: {system: [extra], runtime: [hosts]}",
    "script: own",
    "interfaces: {eth0: {ip: 10.0.1.1+}}",
    "interfaces: {eth0: {ip: 10.0.1.2}}",
    "interfaces: {eth0: {ip: 10.0.255.1+}}",
    "interfaces: {eth0: {ip: 10.9.0.1, network: second}, eth1: {ip: 10.9.0.2+, network: second}}",
    "interfaces: {eth0: {mac: '52:54:00:00:00:01'}, eth1: {ip: 10.0.2.1+}}",
    "interfaces: {eth1: {mac: '52:54:00:00:00:01', ip: 10.0.1.2}}",
    "interfaces: {eth0: {vlan: {id: 7}, type: bond}}",
    "bmc: {ip: 10.0.1.3, mac: '52:54:00:00:00:02'}",
    "imge: a",
)
NODE_FILES = ("site/nodes.d/a.yaml", "site/nodes.d/b.yaml", "site/nodes.d/B.yml")
GROUP_FILES = ("site/groups.d/g.yaml", "site/groups.d/h.yaml")
NAMED = st.lists(st.sampled_from([*GROUPS, *GROUPS, "~g1", "g5"]), max_size=2, unique=True)
BODY = st.tuples(NAMED, st.lists(st.sampled_from(VALUES), max_size=1)).map(
    lambda pair: ", ".join([f"groups: [{', '.join(pair[0])}]"] * bool(pair[0]) + pair[1])
)


def entry(keys: tuple[str, ...]) -> st.SearchStrategy[str]:
    """One entry, or a comment that moves all lines below."""
    line = st.tuples(st.sampled_from(keys), BODY).map(lambda pair: f"  {pair[0]!r}: {{{pair[1]}}}\n")
    return st.one_of(line, line, line, line, st.just("  # a comment\n"))


def file(files: tuple[str, ...], keys: tuple[str, ...]) -> st.SearchStrategy[Edit]:
    """A file with new entries, or without any, or none, or one that is not YAML."""
    texts = st.lists(entry(keys), max_size=3) | st.just(["  ["]) | st.none()
    return st.tuples(st.sampled_from(files), texts)


def one_entry(files: tuple[str, ...], keys: tuple[str, ...]) -> st.SearchStrategy[Edit]:
    """One entry more at the start of a file (`+`), or another one in the place of the first (`=`)."""
    return st.tuples(st.sampled_from(files), st.tuples(st.sampled_from("+="), entry(keys)))


SITES = (SITE, f"# moved\n{SITE}", TWO_NETWORKS, SITE.replace("10.0.0.0/16", "10.0.0.0/24"), "cluster: [\n")
SWITCHES = (
    'to: b@1\nnodes: "n[1-5]"\nimages:\n  b@1: "n[1-2]"\n',
    'to: b@1\nnodes: "n[1-5]"\nimages:\n  b@1: "n[2-9]"\n  c@2: n1\n',
    "to: b@1\nnodes: n1\n",
    "to: b@1\nnodes: n[\n",
    "nothing\n",
)
EDITS: st.SearchStrategy[Edit] = st.one_of(
    st.tuples(
        st.sampled_from(["site/switches.d/s.yaml", "site/switches.d/r.yaml"]),
        st.one_of(st.sampled_from(SWITCHES).map(lambda text: [text]), st.none()),
    ),
    file(NODE_FILES, NODE_SETS),
    one_entry(NODE_FILES, NODE_SETS),
    file(GROUP_FILES, GROUPS),
    one_entry(GROUP_FILES, GROUPS),
    st.tuples(st.just("site/provisioner.yaml"), st.sampled_from(SITES).map(lambda text: [text])),
    st.tuples(
        st.sampled_from(["overlays/extra/rootfs/etc/x", "templates/own.ipxe.j2"]),
        st.sampled_from([["a"], ["b"], None]),
    ),
)
START: Files = {
    "overlays/hosts/rootfs/etc/hosts": ["hosts"],
    "overlays/motd/rootfs/etc/motd": ["hello"],
    "templates/boot.ipxe.j2": ["#!ipxe\n"],
    "site/provisioner.yaml": [SITE],
}


def collected(texts: Mapping[str, str]) -> dict[str, SourceFile]:
    return {key: SourceFile(FileKind.FILE, 0o640, text.encode()) for key, text in texts.items()}


def rows(published: Published) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is in a snapshot."""
    return {table: sorted(published.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def edited(files: Files, edit: Edit) -> Files:
    name, change = edit
    if change is None:
        return {key: lines for key, lines in files.items() if key != name}
    if isinstance(change, tuple):
        kind, line = change
        old = files.get(name, [])
        change = [line, *old] if kind == "+" else [line, *old[1:]]
    return {**files, name: change}


def texts_of(files: Files) -> dict[str, str]:
    heads = {"nodes.d": "nodes:\n", "groups.d": "groups:\n"}
    return {name: heads.get(name.split("/")[1], "") + "".join(lines) for name, lines in files.items()}


def compiled(texts: Mapping[str, str], base: Compilation | None = None) -> Compilation:
    return compile_files(PATHS, collected(texts), base.published if base else None)


def check_step(before: Compilation | None, texts: Mapping[str, str]) -> Compilation:
    """One compilation on another, compared in everything with one from nothing and with the look at all files."""
    step, whole = compiled(texts, before), compiled(texts)
    assert rows(step.published) == rows(whole.published)
    old = before.published.nodes() if before else {}
    new = {**old, **dict.fromkeys(step.changed)} | whole.published.nodes()
    assert {name: node for name, node in new.items() if node} == step.published.nodes()
    files = collected(texts)
    examined = examine(
        site_files(files), catalogue=Catalogue(), overlays=overlay_names(files), scripts=script_names(files)
    )
    images = tuple(each for each in examined.problems if "unknown image" in each.message)
    assert sorted((*step.problems, *images)) == sorted(examined.problems)
    found = (
        {node.name: node.model_dump(exclude={"provenance"}) for node in examined.loaded.nodes}
        if examined.loaded
        else {}
    )
    assert {
        name: each.model_dump(exclude={"provenance"}) for name, each in step.published.nodes().items()
    } == found
    return step


FIRST = st.fixed_dictionaries(
    {name: st.lists(entry(NODE_SETS), min_size=1, max_size=3) for name in NODE_FILES[:2]}
    | {name: st.lists(entry(GROUPS), min_size=1, max_size=3) for name in GROUP_FILES}
)


@settings(max_examples=100, deadline=None)
@given(FIRST, st.lists(EDITS, min_size=1, max_size=5))
def test_after_any_edits_all_rows_and_problems_are_those_of_a_compilation_from_nothing(
    first: Files, edits: list[Edit]
) -> None:
    files = {**START, **first}
    step = check_step(None, texts_of(files))
    for edit in edits:
        files = edited(files, edit)
        step = check_step(step, texts_of(files))


def steps(*changes: dict[str, str]) -> Compilation:
    """Compilations one on another, each compared, of a site to which files are added step by step."""
    texts, step = texts_of(START), None
    for change in changes:
        texts = {**texts, **change}
        step = check_step(step, texts)
    assert step is not None
    return step


def test_a_problem_of_a_range_passes_to_the_next_node_when_the_first_one_is_repaired() -> None:
    group = "groups:\n  g: {interfaces: {eth0: {ip: 10.0.255.1+}}}\n"
    nodes = {f"site/nodes.d/{name}.yaml": f"nodes:\n  {name}: {{groups: [g]}}\n" for name in ("n1", "n2", "n3")}
    broken = {"site/groups.d/g.yaml": group, **nodes}
    repaired = {"site/nodes.d/n1.yaml": "nodes:\n  n1: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1}}}\n"}

    (first,) = steps(broken).problems
    (second,) = steps(broken, repaired).problems

    assert "the address of n1 " in first.message
    assert "the address of n2 " in second.message
    assert steps(broken, repaired, nodes).problems == (first,)


def test_a_group_that_appears_behind_another_group_reaches_the_nodes_of_that_one() -> None:
    named = {
        "site/groups.d/g.yaml": "groups:\n  outer: {groups: [inner]}\n",
        "site/nodes.d/n.yaml": "nodes: {n1: {groups: [outer]}}\n",
    }

    step = steps(named, {"site/groups.d/h.yaml": "groups:\n  inner: {tags: {t: x}}\n"})

    assert step.published.tagged("t", "x") == ("n1",)
    assert list(step.changed) == ["n1"]


def test_a_conflict_ends_when_either_side_changes_and_a_name_that_is_too_long_when_it_is_shortened() -> None:
    def node(name: str, address: str) -> dict[str, str]:
        interfaces = f"{{eth0: {{ip: {address}}}, eth1: {{ip: 10.0.9.1+}}}}"
        return {f"site/nodes.d/{name[:2]}.yaml": f"nodes:\n  {name}: {{interfaces: {interfaces}}}\n"}

    both = {**node("n1", "10.0.1.1"), **node("n2", "10.0.1.1")}

    assert [each.file for each in steps(both).problems] == ["nodes.d/n2.yaml"]
    assert steps(both, node("n1", "10.0.1.9")).problems == ()
    assert steps(both, node("n2", "10.0.1.9")).problems == ()
    (long,) = steps(node("n1" + "x" * 60, "10.0.1.1")).problems
    assert "at most 63 are allowed" in long.message
    assert steps(node("n1" + "x" * 60, "10.0.1.1"), node("n1", "10.0.1.1")).problems == ()


def test_an_edit_decodes_no_file_that_it_does_not_touch(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"site/nodes.d/{number:02}.yaml": f"nodes:\n  n{number}: {{tags: {{t: x}}}}\n" for number in range(30)}
    step, decoded = steps(many), list[str]()
    whole = Sources.nodes

    def noted(self: Sources, file: str) -> Decoded[NodeEntry]:
        decoded.append(file)
        return whole(self, file)

    monkeypatch.setattr(Sources, "nodes", noted)
    edit = compiled({**texts_of(START), **many, "site/nodes.d/07.yaml": "nodes:\n  n7: {tags: {t: y}}\n"}, step)

    assert list(edit.changed) == ["n7"]
    assert set(decoded) == {"nodes.d/07.yaml"}
