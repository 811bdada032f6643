"""The one door for changes: what is refused, what is written, and what happens when two people change at once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError
from provisioner.operations.change import Draft, Plan, commit, draft
from provisioner.operations.select import newest
from provisioner.registry.compiler import current
from provisioner.registry.history import change, changes
from provisioner.registry.view import SiteView
from tests.support.site import SITE, catalogue_of, write_site

NODES = "nodes:\n  n1: {tags: {a: b}}\n  n2: # here\n"
FILE = "nodes.d/n.yaml"


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
