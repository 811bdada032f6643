"""`prov overlay` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from provisioner.cli.overlay import command
from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.operations.push import Pushed
from tests.support.site import SITE, write_site

NODES = "nodes: {'n[001-002]': {overlays: {system: [motd], runtime: []}}}\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": NODES,
        "overlays/motd/overlay.yaml": "description: words of the day\nvariables: {tags.day: text}\n",
        "overlays/motd/rootfs/etc/words.j2": "{{ node.name }}\n",
    }
    return write_site(tmp_path / "site", files)


def prov(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(command, [*words], obj=paths)


@pytest.mark.parametrize("style", ["json", "yaml"])
@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "motd"),
        ("render", "n001"),
        ("diff", "n001", "n002"),
        ("vars", "motd"),
        ("lint",),
        ("create", "x", "--yes"),
        ("create", "x", "--plan"),
    ],
)
def test_every_verb_prints_data(paths: Paths, words: tuple[str, ...], style: str) -> None:
    result = prov(paths, *words, "--format", style)

    assert (json.loads if style == "json" else yaml.safe_load)(result.stdout) is not None


def test_the_list_tells_where_files_come_from(paths: Paths) -> None:
    rows = {row["name"]: row for row in json.loads(prov(paths, "list", "--format", "json").stdout)}

    assert (rows["motd"]["origin"], rows["hosts"]["origin"]) == ("both", "shipped")


def test_the_list_tells_what_an_overlay_brings_along(paths: Paths) -> None:
    (paths.site / "overlays/motd/overlay.yaml").write_text("uses: [hosts]\nchoose: {hostname: NetworkManager}\n")

    rows = {row["name"]: row for row in json.loads(prov(paths, "list", "--format", "json").stdout)}
    shown = prov(paths, "show", "motd").stdout

    assert (rows["motd"]["uses"], rows["motd"]["choose"]) == (["hosts"], {"hostname": "NetworkManager"})
    assert (rows["hosts"]["uses"], rows["hosts"]["choose"]) == ([], {})
    assert "hosts" in shown
    assert "NetworkManager" in shown
    assert "choose" not in prov(paths, "show", "hosts").stdout


def test_a_file_is_printed_as_it_is_written(paths: Paths) -> None:
    assert prov(paths, "show", "motd", "etc/words").stdout == "{{ node.name }}\n"
    assert prov(paths, "show", "motd", "overlay.yaml").stdout.startswith("description: ")


def test_a_file_is_printed_as_the_node_gets_it(paths: Paths) -> None:
    assert prov(paths, "render", "n002", "etc/words").stdout == "n002\n"


def test_a_difference_is_the_exit_status_2(paths: Paths) -> None:
    result = prov(paths, "diff", "n001", "n002")

    assert (result.exit_code, result.stdout) == (2, "etc/words\n  -n001\n  +n002\n")
    assert prov(paths, "diff", "n001", "n001").exit_code == 0


@pytest.mark.parametrize("words", [("n001",), ("n001", "n002", "--since", "abc")])
def test_a_node_is_compared_with_one_thing(paths: Paths, words: tuple[str, ...]) -> None:
    assert prov(paths, "diff", *words).exit_code == 2
    assert "name another node, or a revision" in prov(paths, "diff", *words).stderr


def test_variables_are_listed_with_their_meaning(paths: Paths) -> None:
    lines = prov(paths, "vars", "motd").stdout.splitlines()

    assert lines[0].split() == ["NAME", "TYPE", "MEANING", "USED_BY"]
    assert lines[1].split() == ["node.name", "text", "-", "etc/words.j2"]
    assert lines[2].split() == ["node.tags.day", "text", "text", "-"]


def test_a_change_is_shown_written_and_recorded(paths: Paths) -> None:
    result = prov(paths, "chmod", "motd", "etc/words", "0600", "--yes")

    assert result.exit_code == 0
    assert '+files: {etc/words: {mode: "0600"}}' in result.stdout.splitlines()
    assert result.stdout.splitlines()[-2:] == [
        "wrote overlays/motd/overlay.yaml",
        "undo with: prov undo 1",
    ]


def test_without_anybody_to_ask_nothing_is_written(paths: Paths) -> None:
    result = prov(paths, "create", "x")

    assert result.exit_code == 1
    assert not (paths.site / "overlays/x").exists()


def test_a_plan_writes_nothing_and_its_exit_status_tells_that_a_file_would_change(paths: Paths) -> None:
    assert prov(paths, "create", "x", "--plan").exit_code == 2
    result = prov(paths, "chmod", "motd", "etc/words", "0600", "--plan")

    assert result.exit_code == 2
    assert "changed n[001-002] (2 nodes)" in result.stdout
    assert not (paths.site / "overlays/x").exists()


def test_a_file_of_this_machine_lands_where_it_is_here(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "banner").write_text("hello\n")

    assert prov(paths, "import", "motd", str(tmp_path / "banner"), "-y").exit_code == 0
    assert (paths.site / f"overlays/motd/rootfs{tmp_path}/banner").read_text() == "hello\n"


@pytest.mark.parametrize(("alias", "name"), [("ls", "list"), ("rm", "delete"), ("add", "create"), ("cp", "copy")])
def test_the_usual_short_names_work(alias: str, name: str) -> None:
    assert command.get_command(None, alias) is command.commands[name]  # type: ignore[arg-type]  # not looked at


def test_lint_without_an_image_has_nothing_to_compare_with(paths: Paths) -> None:
    result = prov(paths, "lint", "motd")

    assert (result.exit_code, result.stdout) == (0, "0 problems, 0 warnings, 1 notes (--notes lists them)\n")


def test_nodes_are_told_to_look_by_the_daemon_only(paths: Paths) -> None:
    result = prov(paths, "push", "n[001-002]")

    assert isinstance(result.exception, UnavailableError)
    assert "the daemon does not run" in result.exception.message


def test_what_became_of_a_push_is_told_for_each_node(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.operations.push.push", lambda _, names: Pushed(names[:1], names[1:], ()))

    assert prov(paths, "push", "n[001-002]").stdout == "n001 look now\nn002 when they ask next\n"
    assert json.loads(prov(paths, "push", "n001", "--format", "json").stdout)["told"] == ["n001"]
