"""What commands read, and where they write what they made."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from provisioner.cli import apply, export, group, node, plan
from provisioner.cli.files import STANDARD, texts_of, write_output
from provisioner.errors import ConfigError, NotFoundError
from tests.support.site import SITE, write_site


def test_a_file_keeps_its_mode_and_a_link_leads_to_what_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)

    write_output(link, b"new")

    assert link.is_symlink()
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", 0o600)


def test_a_pipe_stays_a_pipe_and_gets_what_is_written(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    write_output(fifo, b"lines\n")

    assert os.read(reader, 100) == b"lines\n"
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    os.close(reader)


def test_a_dash_is_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = write_site(tmp_path / "site", {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {n1: {}}\n"})

    result = CliRunner().invoke(export.command, ["genders", "-o", str(STANDARD)], obj=paths)

    assert result.stdout.startswith("n1")
    assert not (tmp_path / "-").exists()


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no folder"):
        write_output(tmp_path / "nodir" / "x", b"")

    assert list(tmp_path.iterdir()) == []


def test_a_text_that_is_not_utf_8_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        texts_of([io.BytesIO(b"nodes:\n  n1: {comment: caf\xe9}\n")])

    assert [(each.line, each.column, each.message) for each in caught.value.problems] == [
        (2, 20, "the file is not UTF-8 text")
    ]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (apply.command, []),
        (plan.command, ["-f"]),
        (node.command, ["import"]),
        (group.command, ["import"]),
    ],
)
def test_no_command_falls_over_a_file_that_is_not_utf_8(
    tmp_path: Path, command: click.Command, words: list[str]
) -> None:
    paths = write_site(tmp_path / "site", {"provisioner.yaml": SITE})
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"\xff\xfe")

    result = CliRunner().invoke(command, [*words, str(bad)], obj=paths)

    assert isinstance(result.exception, ConfigError)
    assert f"{bad}:1:1: the file is not UTF-8 text" in str(result.exception)
