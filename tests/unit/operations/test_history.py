"""What is told of the changes of a site."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.operations.history import changes, show
from tests.support.changes import change
from tests.support.site import SITE, write_site

RACK = "nodes.d/rack.yaml"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE, RACK: "nodes:\n  n1: {}\n  n2: {}\n"})


def test_a_site_that_no_program_changed_has_no_history(paths: Paths) -> None:
    assert changes(paths) == []


def test_a_change_is_told_with_its_lines(paths: Paths) -> None:
    change(paths, {RACK: "nodes:\n  n1: {image: x}\n  n2: {}\n  n3: {}\n"}, "prov apply")

    (summary,) = changes(paths)
    record = summary.record()

    assert (record["id"], record["who"], record["command"], record["files"]) == (1, "ada", "prov apply", [RACK])
    assert (record["added"], record["removed"]) == (2, 1)
    assert datetime.fromisoformat(str(record["time"])).timestamp() == int(summary.change.time)


def test_the_changes_of_a_node_are_those_of_entries_that_name_it(paths: Paths) -> None:
    change(paths, {RACK: "nodes:\n  n1: {image: x}\n  n2: {}\n"}, "one")
    change(paths, {"groups.d/g.yaml": "groups: {g: {}}\n"}, "group")
    change(paths, {RACK: "# a remark\nnodes:\n  n1: {image: x}\n  n2: {image: y}\n"}, "two")
    change(paths, {"nodes.d/more.yaml": "nodes: {'n[2-9]': {groups: [g]}}\n"}, "range")

    def of(node: str) -> list[str]:
        return [each.change.command for each in changes(paths, node=node)]

    assert (of("n1"), of("n2"), of("n9"), of("m1")) == (["one"], ["range", "two"], ["range"], [])
    assert [each.change.command for each in changes(paths, file=RACK)] == ["two", "one"]
    assert [each.change.command for each in changes(paths, limit=1, node="n1")] == ["one"]


def test_more_changes_than_a_page_are_all_found(paths: Paths) -> None:
    for number in range(25):
        change(paths, {"nodes.d/other.yaml": f"# {number}\n"})

    assert len(changes(paths, limit=1000)) == 25


def test_a_change_is_shown_file_by_file(paths: Paths) -> None:
    change(paths, {RACK: None, "nodes.d/new.yaml": "nodes: {n1: {}}\n"})

    summary, (new, rack) = show(paths, 1)

    assert summary.lines == (1, 3)
    assert new.diff == "--- /dev/null\n+++ b/nodes.d/new.yaml\n@@ -0,0 +1 @@\n+nodes: {n1: {}}\n"
    assert rack.diff.startswith(f"--- a/{RACK}\n+++ /dev/null\n")
    with pytest.raises(NotFoundError):
        show(paths, 2)


def test_bytes_that_are_no_text_can_be_printed(paths: Paths) -> None:
    (paths.site / RACK).write_bytes(b"nodes:\n  n1: {}  # \xff\n")
    change(paths, {RACK: "nodes:\n"})

    _, (rack,) = show(paths, 1)

    assert "-  n1: {}  # \\udcff\n" in rack.diff
    rack.diff.encode()


def test_what_was_done_to_an_overlay_by_hand_is_named_without_its_text(paths: Paths) -> None:
    change(paths, {RACK: "nodes:\n"})
    overlay = paths.site / "overlays/mine/rootfs/x"
    overlay.parent.mkdir(parents=True)
    overlay.write_text("x")
    change(paths, {RACK: "nodes: {}\n"})

    summary, (file,) = show(paths, 2)

    assert (file.path, file.diff, summary.lines) == ("overlays/mine/rootfs/x", "", None)


def test_no_password_is_shown_and_that_one_changed_is(paths: Paths) -> None:
    text = "nodes:\n  n1: {{bmc: {{password: {password}, username: root}}}}\n  n2: {{}}\n"
    change(paths, {RACK: text.format(password="hunter2")})
    change(paths, {RACK: text.format(password="hunter3")})

    _, (added,) = show(paths, 1)
    _, (changed,) = show(paths, 2)

    assert "+  n1: {bmc: {password: ********, username: root}}\n" in added.diff
    line = "  n1: {bmc: {password: ********, username: root}}\n"
    assert f"-{line}+{line}" in changed.diff
    assert "hunter" not in added.diff + changed.diff


@pytest.mark.parametrize("number", [0, -1, (1 << 63) - 1, 99999999999999999999])
def test_a_number_that_no_change_can_have_is_one_that_does_not_exist(paths: Paths, number: int) -> None:
    change(paths, {RACK: None})

    with pytest.raises(NotFoundError, match="there is no change"):
        show(paths, number)
