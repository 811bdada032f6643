"""`prov overlay edit` with real programs as editors, and `prov overlay` with a person at a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.overlay import command
from provisioner.config.paths import Paths
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration

KEY = "overlays/motd/rootfs/etc/motd.j2"


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.delenv("VISUAL", raising=False)
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": "nodes: {n001: {overlays: {system: [motd], runtime: []}}}\n",
        KEY: "hello {{ node.name }}\n",
    }
    return write_site(tmp_path / "site", files)


def edit(paths: Paths, monkeypatch: pytest.MonkeyPatch, step: str, *words: str) -> Result:
    """Run the command with an editor that does one step of Python on `text`."""
    script = paths.site.parent / "editor.py"
    script.write_text(
        f"import sys\nfile = sys.argv[1]\ntext = open(file).read()\n{step}\nopen(file, 'w').write(text)\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    return CliRunner().invoke(command, ["edit", *words], obj=paths)


def kept(paths: Paths) -> list[Path]:
    """The files of editors that are still there."""
    return list((paths.site.parent / "tmp").iterdir())


def test_what_is_saved_is_written(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    result = edit(paths, monkeypatch, "text = text.replace('hello', 'bye')", "motd", "etc/motd.j2", "--yes")

    assert (result.exit_code, (paths.site / KEY).read_text()) == (0, "bye {{ node.name }}\n")
    assert kept(paths) == []


def test_an_edit_of_a_shipped_file_shadows_it(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(paths, monkeypatch, "text = 'ours'", "hostname", "etc/hostname", "--yes")

    assert (paths.site / "overlays/hostname/rootfs/etc/hostname").read_text() == "ours"


def test_a_file_that_was_not_there_is_new(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(paths, monkeypatch, "text = '{{ cluster }}'", "motd", "etc/new.j2", "--yes")

    assert (paths.site / "overlays/motd/rootfs/etc/new.j2").read_text() == "{{ cluster }}"


def test_nothing_saved_is_nothing_changed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    result = edit(paths, monkeypatch, "pass", "motd", "etc/motd.j2")

    assert (result.exit_code, result.stdout) == (0, "nothing to change\n")
    assert kept(paths) == []


def test_a_mistake_is_not_written_and_the_text_is_kept(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    result = edit(paths, monkeypatch, "text += '{{ node.tags.colour }}'", "motd", "etc/motd.j2", "--yes")

    assert "colour" in str(result.exception)
    assert (paths.site / KEY).read_text() == "hello {{ node.name }}\n"
    (file,) = kept(paths)
    assert file.read_text() == "hello {{ node.name }}\n{{ node.tags.colour }}"
    assert f"what you wrote is in {file}" in str(result.exception)


def test_without_a_yes_nothing_is_written_and_the_text_is_kept(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = edit(paths, monkeypatch, "text = 'bye'", "motd", "etc/motd.j2")

    assert result.exit_code == 1
    assert [file.read_text() for file in kept(paths)] == ["bye"]
