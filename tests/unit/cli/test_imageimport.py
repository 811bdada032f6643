from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioner.cli.imageimport import command
from provisioner.cli.imagemade import Steps
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_two_ways_to_log_in_are_one_too_many(tmp_path: Path) -> None:
    words = ["docker://a.example/b", "toy", "--login", "alice", "--authfile", "x"]

    done = CliRunner().invoke(command, words, obj=Paths.below(tmp_path))

    assert done.exit_code == 2
    assert "choose one of --login, --creds-file and --authfile" in done.stderr


def test_an_unknown_platform_is_refused_before_anything_else(tmp_path: Path) -> None:
    words = ["docker://a.example/b", "toy", "--platform", "amd64"]

    done = CliRunner().invoke(command, words, obj=Paths.below(tmp_path))

    assert isinstance(done.exception, ProvisionerError)
    assert "'amd64' is no platform" in done.exception.message


def test_the_password_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    words = ["docker://A", "toy", "--login", "alice"]

    done = CliRunner().invoke(command, words, obj=Paths.below(tmp_path), input="geheim\n")

    assert "Password of alice" in done.stderr
    assert "geheim" not in done.output


def test_bytes_are_shown_on_a_terminal_and_cleared_when_the_step_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    now = iter([0.0, 0.5, 2.0, 3.0, 5.0])
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("time.monotonic", lambda: next(now))

    with Steps() as steps:
        steps.say("fetch")
        steps.watch(1, 4 << 20)
        steps.watch(1 << 20, 4 << 20)
        steps.say("unpack")
        steps.watch(3 << 20, 0)

    assert screen.getvalue() == (
        "fetch ...\n\r    1.0 of 4.0 MiB, 25 %\x1b[K\r\x1b[Kunpack ...\n\r    3.0 MiB\x1b[K\r\x1b[K"
    )


def test_a_log_gets_the_steps_and_no_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    with Steps() as steps:
        steps.say("fetch \x1b[2J")
        steps.watch(1 << 20, 4 << 20)

    assert capsys.readouterr().err == "fetch \\x1b[2J ...\n"
