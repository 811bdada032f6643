"""`prov node edit` and `prov group edit` with real programs as editors."""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli import group, node
from provisioner.config.paths import Paths
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration

NODES = """\
nodes:
  n[1-2]: {groups: [g]}
  # The first one.
  n1: {tags: {a: b}}
"""


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.delenv("VISUAL", raising=False)
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": NODES,
        "groups.d/g.yaml": "groups:\n  g: {tags: {x: y}}\n",
    }
    return write_site(tmp_path / "site", files)


def editor(paths: Paths, monkeypatch: pytest.MonkeyPatch, *steps: str) -> Path:
    """Set an editor that runs one step of Python, on `text`, each time; returns the log of what it saw."""
    script, log, turn = (paths.site.parent / name for name in ("editor.py", "log", "turn"))
    script.write_text(
        "import re, os, sys\n"
        f"file, log, turn = sys.argv[1], {str(log)!r}, {str(turn)!r}\n"
        "text = open(file).read()\n"
        "mode = os.stat(file).st_mode & 0o777\n"
        "open(log, 'a').write(f'{mode:o}\\n{text}')\n"
        "number = os.path.getsize(turn) if os.path.exists(turn) else 0\n"
        "open(turn, 'a').write('.')\n"
        f"exec({list(steps)!r}[number])\n"
        "open(file, 'w').write(text)\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    return log


def edit(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(node.command, ["edit", *words], obj=paths)


def kept(paths: Paths) -> list[Path]:
    """The files of editors that are still there."""
    return list((paths.site.parent / "tmp").iterdir())


def written(paths: Paths) -> str:
    return (paths.node_files / "n.yaml").read_text()


def test_what_is_saved_is_written_with_its_comments(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    log = editor(paths, monkeypatch, "text = text.replace('a: b', 'a: c')")

    result = edit(paths, "n1", "--yes")

    assert result.stdout.splitlines() == [
        "change n1 (1 node)",
        "  tags.a  b -> c",
        "wrote nodes.d/n.yaml",
        "undo with: prov undo 1",
    ]
    assert written(paths) == NODES.replace("a: b", "a: c")
    seen = log.read_text()
    assert seen.startswith("600\n")
    assert "# The first one." in seen
    assert kept(paths) == []


def test_a_mistake_comes_back_into_the_editor_until_it_is_gone(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = editor(
        paths,
        monkeypatch,
        "text = text.replace('tags', 'tgas')",
        "text = text.replace('tgas: {a: b}', 'tags: {a: c}')",
    )

    result = edit(paths, "n1", "--yes")

    assert (result.exit_code, result.exception) == (0, None)
    assert written(paths) == NODES.replace("a: b", "a: c")
    assert re.search(r"^#! .*unknown key 'tgas'$\n#! +hint: did you mean 'tags'\?$", log.read_text(), re.MULTILINE)
    assert kept(paths) == []


def test_whoever_gives_up_keeps_the_text(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(paths, monkeypatch, "text = text.replace('tags', 'tgas')", "pass")

    result = edit(paths, "n1", "--yes")

    assert "unknown key 'tgas'" in str(result.exception)
    (file,) = kept(paths)
    assert f"what you wrote is in {file}" in str(result.exception)
    assert "tgas" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert written(paths) == NODES


def test_text_that_nobody_said_yes_to_is_kept(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(paths, monkeypatch, "text = text.replace('a: b', 'a: c')")

    result = edit(paths, "n1")

    (file,) = kept(paths)
    assert f"what you wrote is in {file}" in str(result.exception)
    assert "a: c" in file.read_text()
    assert written(paths) == NODES


def test_text_as_it_was_is_nothing_to_change(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(paths, monkeypatch, "pass")

    assert edit(paths, "@g").stdout == "nothing to change\n"
    assert kept(paths) == []


@pytest.mark.parametrize("command", ["false", "/nowhere/editor"])
def test_an_editor_that_fails_changes_nothing(paths: Paths, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("EDITOR", command)

    result = edit(paths, "n1", "--yes")

    assert result.exit_code == 1
    assert "Editing failed" in result.stderr + str(result.exception)
    assert written(paths) == NODES
    assert kept(paths) == []


def test_a_plan_of_what_was_edited_keeps_the_text(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(paths, monkeypatch, "text = text.replace('a: b', 'a: c')")

    result = edit(paths, "n1", "--plan")

    assert result.exit_code == 2
    assert f"what you wrote is in {kept(paths)[0]}" in result.stderr
    assert written(paths) == NODES


def test_an_entry_that_is_taken_out_goes(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(paths, monkeypatch, "text = text[:text.index('  # The first')]")

    assert edit(paths, "n1", "--yes").exit_code == 0

    assert "n1:" not in written(paths)


def test_groups_are_edited_too(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(paths, monkeypatch, "text = text.replace('x: y', 'x: z')")

    result = CliRunner().invoke(group.command, ["edit", "g", "--yes"], obj=paths)

    assert result.exit_code == 0
    assert (paths.group_files / "g.yaml").read_text() == "groups:\n  g: {tags: {x: z}}\n"


def test_visual_is_asked_before_editor(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(paths, monkeypatch, "text = text.replace('a: b', 'a: c')")
    monkeypatch.setenv("VISUAL", os.environ["EDITOR"])
    monkeypatch.setenv("EDITOR", "false")

    assert edit(paths, "n1", "--yes").exit_code == 0


def meanwhile(paths: Paths, *words: str) -> str:
    """A step of an editor during which somebody else runs `prov node`."""
    command = [str(Path(sys.executable).with_name("prov")), "--root", str(paths.site), "node", *words, "--yes"]
    return f"__import__('subprocess').run({command!r}, check=True, stdout=-3)"


def test_what_somebody_else_changed_while_the_editor_was_open_stays(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = f"{meanwhile(paths, 'set', 'n2', 'comment=other')}; text = text.replace('a: b', 'a: c')"
    editor(paths, monkeypatch, step)

    assert edit(paths, "n1,n2", "--yes").exit_code == 0

    assert "a: c" in written(paths)
    assert "comment: other" in written(paths)
    assert kept(paths) == []


@pytest.mark.parametrize("words", [("set", "n1", "tags.a=x"), ("rename", "n1", "n9")])
def test_the_same_entry_changed_by_somebody_else_is_refused_and_the_text_kept(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    editor(paths, monkeypatch, f"{meanwhile(paths, *words)}; text = text.replace('a: b', 'a: c')")

    result = edit(paths, "n1", "--yes")

    assert "by somebody else while it was edited" in str(result.exception)
    (file,) = kept(paths)
    assert f"what you wrote is in {file}" in str(result.exception)
    assert "a: c" not in written(paths)


def test_an_editor_that_writes_the_same_mistake_again_has_given_up(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(paths, monkeypatch, "text = 'nonsense: {'", "text = 'nonsense: {'")

    result = edit(paths, "n1", "--yes")

    assert "what you wrote is in" in str(result.exception)
    assert written(paths) == NODES


def test_an_emptied_file_is_a_cancel(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(paths, monkeypatch, r"text = '\n'")

    assert edit(paths, "n1", "--yes").stdout == "nothing to change\n"
    assert written(paths) == NODES
    assert kept(paths) == []


def test_an_editor_that_removes_the_file_is_told_of_and_no_file_is_named(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "rm")

    result = edit(paths, "n1", "--yes")

    assert str(result.exception) == "the editor removed the file that it was given; nothing is written"
    assert kept(paths) == []


def test_a_text_that_is_not_utf_8_is_told_with_its_place_and_kept_as_it_is(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = paths.site.parent / "latin1"
    script.write_text("#!/bin/sh\nprintf 'nodes:\\n  n1: {comment: caf\\351}\\n' > \"$1\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))

    result = edit(paths, "n1", "--yes")

    assert "the edited text:2:20: the file is not UTF-8 text" in str(result.exception)
    assert kept(paths)[0].read_bytes() == b"nodes:\n  n1: {comment: caf\xe9}\n"
