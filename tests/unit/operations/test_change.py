"""The one door for changes: what is refused, what is written, and what happens when two people change at once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, Problem
from provisioner.operations import breakage
from provisioner.operations.change import Draft, Plan, commit, draft
from provisioner.operations.select import newest
from provisioner.registry.compiler import current
from provisioner.registry.history import change, changes
from provisioner.registry.view import SiteView
from tests.support.site import SITE, catalogue_of, write_site

NODES = "nodes:\n  n1: {tags: {a: b}}\n  n2: # here\n"
FILE = "nodes.d/n.yaml"
TEMPLATE = "overlays/tagged/rootfs/etc/tagged.j2"
TAGGED = """\
groups:
  tagged: {overlays: {system: [tagged], runtime: []}}
nodes:
  "n[1-3]": {groups: [tagged], tags: {colour: red}}
"""
MANY = """\
"n[1-8]": {groups: [tagged], tags: {colour: blue}}
  n9: {groups: [tagged]}"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE, FILE: NODES})


def appending(line: str, file: str = FILE) -> Plan:
    """A plan that adds a line to a file."""
    return lambda view: {file: (view.text(file) or "nodes:\n") + line}


def drafted(paths: Paths, plan: Plan) -> Draft:
    return draft(paths, catalogue_of("debian-12"), plan)


def read(paths: Paths) -> str:
    return (paths.site / FILE).read_text()


def test_a_draft_writes_nothing(paths: Paths) -> None:
    found = drafted(paths, appending("  n3: {image: debian-12}\n"))

    assert set(found.files) == {FILE}
    assert set(found.changed_nodes()) == {"n3"}
    assert read(paths) == NODES
    assert changes(paths) == []


def test_a_commit_writes_records_and_publishes(paths: Paths) -> None:
    found = drafted(paths, appending("  n3: {image: debian-12}\n"))

    applied = commit(found, command="prov node add n3", message="a third one")

    assert (applied.files, applied.unserved, applied.left) == ((FILE,), "", ())
    assert read(paths) == NODES + "  n3: {image: debian-12}\n"
    recorded = change(paths, applied.number)
    assert (recorded.command, recorded.message) == ("prov node add n3", "a third one")
    published = newest(paths)
    assert published is not None
    with published, current(paths) as now:
        assert published.revision == now.revision == recorded.after
        assert published.names() == ("n1", "n2", "n3")


def test_a_new_mistake_is_refused_and_an_old_one_is_not_in_the_way(paths: Paths) -> None:
    (paths.node_files / "z.yaml").write_text("nodes: {n9: {image: nowhere, bogus: 1}}\n")

    with pytest.raises(ConfigError) as caught:
        drafted(paths, appending("  n3: {image: missing, groups: [none]}\n"))
    assert [problem.message for problem in caught.value.problems] == [
        "unknown image 'missing'",
        "unknown group 'none'",
    ]

    assert commit(drafted(paths, appending("  n3:\n")), command="x").files == (FILE,)


def test_a_repair_of_a_broken_site_is_possible(paths: Paths) -> None:
    (paths.site / "provisioner.yaml").write_text("cluster: []\n")

    applied = commit(drafted(paths, lambda _: {"provisioner.yaml": SITE}), command="x")

    assert applied.files == ("provisioner.yaml",)


def test_a_file_is_made_and_removed(paths: Paths) -> None:
    new = "nodes.d/new.yaml"

    commit(drafted(paths, lambda _: {new: "nodes: {n3: }\n"}), command="x")
    assert stat.S_IMODE((paths.site / new).stat().st_mode) == 0o640

    commit(drafted(paths, lambda _: {new: None}), command="x")
    assert not (paths.site / new).exists()


def test_texts_that_are_there_already_are_no_change(paths: Paths) -> None:
    found = drafted(paths, lambda _: {FILE: NODES})

    assert (found.files, found.differences) == ({}, ())
    assert commit(found, command="x").files == ()
    assert changes(paths) == []


def test_an_edit_of_other_nodes_meanwhile_is_kept(paths: Paths) -> None:
    mine = drafted(paths, appending("  n3: {tags: {x: y}}\n"))
    commit(drafted(paths, appending("  n4:\n")), command="theirs")

    commit(mine, command="mine")

    assert read(paths) == NODES + "  n4:\n  n3: {tags: {x: y}}\n"


def test_an_edit_by_hand_meanwhile_is_kept(paths: Paths) -> None:
    mine = drafted(paths, appending("  n3:\n"))
    (paths.site / FILE).write_text("# Rack one.\n" + NODES)

    commit(mine, command="mine")

    assert read(paths) == "# Rack one.\n" + NODES + "  n3:\n"


def test_a_change_that_would_do_something_else_by_now_is_refused(paths: Paths) -> None:
    def all_nodes(view: SiteView) -> dict[str, str]:
        names = ",".join(view.published.names())
        return {"nodes.d/z.yaml": f'nodes: {{"{names}": {{image: debian-12}}}}\n'}

    mine = drafted(paths, all_nodes)
    commit(drafted(paths, appending("  n3:\n")), command="theirs")

    with pytest.raises(ConflictError, match="was changed meanwhile") as caught:
        commit(mine, command="mine")

    assert caught.value.hint == "run it again and look at what it does now"
    assert not (paths.node_files / "z.yaml").exists()


def test_bytes_that_are_no_text_survive_beside_an_edit(paths: Paths) -> None:
    (paths.node_files / "bad.yaml").write_bytes(b"nodes: # \xff\n")

    commit(
        drafted(paths, lambda view: {"nodes.d/bad.yaml": f"{view.text('nodes.d/bad.yaml')}  n7:\n"}), command="x"
    )

    assert (paths.node_files / "bad.yaml").read_bytes() == b"nodes: # \xff\n  n7:\n"


def test_a_draft_shows_what_a_linked_file_changes_under_its_other_names(paths: Paths) -> None:
    (paths.node_files / "a.yaml").symlink_to("n.yaml")

    found = drafted(paths, appending("  n3: {image: debian-12}\n", "nodes.d/a.yaml"))
    applied = commit(found, command="prov node add n3")

    assert applied.files == ("nodes.d/a.yaml", FILE)
    with current(paths) as published:
        assert published.revision == found.after.revision


def tagged(root: Path, template: str = "{{ node.tags.colour }}\n") -> Paths:
    groups, _, nodes = TAGGED.partition("nodes:")
    files = {"provisioner.yaml": SITE, "groups.d/g.yaml": groups, FILE: f"nodes:{nodes}", TEMPLATE: template}
    return write_site(root, files)


def replacing(old: str, new: str) -> Plan:
    """A plan that replaces a text in the file of nodes."""
    return lambda view: {FILE: (view.text(FILE) or "").replace(old, new)}


def refused(paths: Paths, plan: Plan) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        drafted(paths, plan)
    return caught.value.problems


@pytest.fixture(params=[breakage.WHOLE, 0], ids=["small", "large"])
def _size_of_site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakage, "WHOLE", request.param)


of_any_size = pytest.mark.usefixtures("_size_of_site")


@of_any_size
def test_a_change_that_keeps_nodes_from_being_rendered_is_refused_with_file_line_and_nodes(tmp_path: Path) -> None:
    paths = tagged(tmp_path)

    (problem,) = refused(paths, replacing("colour: red", "color: red"))

    assert (problem.file, problem.line) == (TEMPLATE, 1)
    assert "'colour'" in problem.message
    assert problem.message.endswith("(3 nodes: n[1-3])")
    assert problem.hint.startswith("set what the template reads in the same change")


@of_any_size
def test_a_value_that_a_template_cannot_work_with_is_refused_before_it_is_written(tmp_path: Path) -> None:
    paths = tagged(tmp_path, "{{ 1 // (node.tags.colour | length - 4) }}\n")

    (problem,) = refused(paths, replacing("colour: red", "colour: blue"))

    assert problem.file == TEMPLATE


@of_any_size
def test_nodes_that_cannot_be_rendered_already_are_not_in_the_way(tmp_path: Path) -> None:
    paths = tagged(tmp_path, "{{ node.tags.nothing }}\n")

    assert set(drafted(paths, replacing("colour: red", "colour: blue")).changed_nodes()) == {"n1", "n2", "n3"}


@of_any_size
def test_a_failing_node_that_is_renamed_is_not_in_the_way(tmp_path: Path) -> None:
    paths = tagged(tmp_path, "{{ node.tags.nothing }}\n")

    found = draft(paths, catalogue_of(), replacing("n[1-3]", "n[1-2],m3"), {"m3": "n3"})

    assert set(found.changed_nodes()) == {"n3", "m3"}


@of_any_size
def test_a_new_node_that_cannot_be_rendered_is_refused_although_others_cannot_either(tmp_path: Path) -> None:
    paths = tagged(tmp_path, "{{ node.tags.nothing }}\n")

    (problem,) = refused(paths, replacing("n[1-3]", "n[1-4]"))

    assert problem.message.endswith("(node n4)")


@of_any_size
def test_what_the_site_file_breaks_is_found_by_one_node_of_each_kind(tmp_path: Path) -> None:
    paths = tagged(tmp_path, "{{ 1 // (site.cluster | length - 5) }}{{ node.name }}\n")

    (problem,) = refused(paths, lambda _: {"provisioner.yaml": SITE.replace("demo", "other")})

    assert problem.message.endswith("(node n1)")


def test_a_node_that_breaks_what_is_made_of_all_nodes_is_found_by_another_one(tmp_path: Path) -> None:
    template = "{% for each in nodes if each.name != node.name %}{{ each.tags.colour }}{% endfor %}\n"

    (problem,) = refused(tagged(tmp_path, template), appending("  n9:\n"))

    assert problem.message.endswith("(node n1)")


def test_on_a_large_site_what_is_made_of_all_nodes_is_left_to_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakage, "WHOLE", 0)
    paths = tagged(tmp_path, "{{ (nodes | selectattr('name', 'eq', 'n1') | first).tags.colour }}\n")

    assert drafted(paths, replacing("colour: red", "color: red")).files


def test_of_many_changed_nodes_those_that_differ_are_tried_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakage, "MOST", 2)
    paths = tagged(tmp_path)

    (problem,) = refused(paths, replacing('"n[1-3]": {groups: [tagged], tags: {colour: red}}', MANY))

    assert problem.message.endswith("(node n9)")
