"""`prov plan`, and how a boot plan is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.bootplan import LONGEST, MOST, write_plan
from provisioner.cli.plan import command
from provisioner.config.paths import Paths
from provisioner.operations.bootplan import BootPlan, NodeChanges
from provisioner.operations.comparison import Change
from provisioner.registry.revision import capture
from tests.support.bootable import GROUPS, bootable, write


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path)


def prov(paths: Paths, *words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(command, list(words), obj=paths, input=text)


def test_what_changed_since_a_revision_is_shown_and_the_status_is_2(paths: Paths) -> None:
    revision = capture(paths).revision
    write(paths, "groups.d/g.yaml", GROUPS.replace("quiet", "verbose"))

    shown = prov(paths, "--since", revision[:10])

    assert shown.output == "changed n[1-3] (3 nodes)\n  kernel line\n    -quiet\n    +verbose\n"
    assert shown.exit_code == 2


def test_nothing_that_changes_is_status_0(paths: Paths) -> None:
    shown = prov(paths, "--since", capture(paths).revision)

    assert (shown.output, shown.exit_code) == ("no boot changes\n", 0)


def test_what_a_file_would_do_is_shown_and_not_done(paths: Paths) -> None:
    before = (paths.node_files / "n.yaml").read_text()

    shown = prov(paths, "-f", "-", text="nodes: {n2: {kernel: {args: [single]}}}\n")

    assert "changed n2 (1 node)\n  kernel line\n    +single\n" in shown.output
    assert shown.exit_code == 2
    assert (paths.node_files / "n.yaml").read_text() == before


def test_programs_get_json(paths: Paths) -> None:
    revision = capture(paths).revision
    write(paths, "groups.d/g.yaml", GROUPS.replace("quiet", "verbose"))

    record = json.loads(prov(paths, "--since", revision, "--format", "json").output)

    assert record["before"] == revision
    assert [group["nodes"] for group in record["groups"]] == ["n[1-3]"]


@pytest.mark.parametrize("words", [(), ("-f", "-", "--since", "abc")])
def test_one_thing_must_be_asked_for(paths: Paths, words: tuple[str, ...]) -> None:
    asked = prov(paths, *words, text="")

    assert asked.exit_code == 2
    assert "say what to look at" in asked.output


def test_a_long_difference_is_cut_for_people_and_many_groups_are_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = tuple(f"+{number}" for number in range(LONGEST + 5))
    groups = tuple(
        NodeChanges("changed", (f"n{number}",), (Change("file", "etc/x", lines),), {"name": f"n{number}"})
        for number in range(MOST + 3)
    )

    write_plan(BootPlan("a", "b", groups), "table")

    shown = capsys.readouterr().out
    assert "    ... 5 more lines: --format json shows them" in shown
    assert "  for n0: name n0" in shown
    assert shown.endswith("... and 3 nodes in 3 more groups: --format json shows them\n")


def test_a_field_that_no_boot_reads_is_status_2_and_told_to_programs(paths: Paths) -> None:
    revision = capture(paths).revision
    change = "nodes: {n2: {comment: hello}}\n"
    planned = prov(paths, "-f", "-", "--format", "json", text=change)
    write(paths, "nodes.d/z.yaml", change)
    since = prov(paths, "--since", revision, "--format", "json")

    assert planned.exit_code == since.exit_code == 2
    for record in (json.loads(planned.output), json.loads(since.output)):
        assert record["groups"] == []
        assert [(each["names"], each["fields"][0]["field"]) for each in record["differences"]] == [
            ("n2", "comment")
        ]
    shown = prov(paths, "--since", revision).output
    assert shown == "no boot changes\nfields of 1 node differ: --format json shows them\n"


def test_a_file_that_changes_nothing_is_status_0(paths: Paths) -> None:
    assert prov(paths, "-f", "-", text="nodes: {n2: {}}\n").exit_code == 0
