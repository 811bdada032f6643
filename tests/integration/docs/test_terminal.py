"""The shell that types the manual's commands."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal import Terminal

pytestmark = pytest.mark.integration

ASK = """read -r -p 'Delete 4 nodes? [y/N]: ' answer; echo "got $answer" """


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal([], cwd=tmp_path, environment=os.environ) as shell:
        yield shell


def test_output_and_exit_status_of_each_command_come_apart(terminal: Terminal) -> None:
    first, second = terminal.run("echo one; echo two >&2"), terminal.run("echo three; false")

    assert (first.text, first.status) == ("one\ntwo\n", 0)
    assert (second.text, second.status) == ("three\n", 1)


def test_the_shell_remembers_folder_and_variables(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("mkdir here && cd here && export WORD=kept")

    assert terminal.run("pwd; sh -c 'echo $WORD'").text == f"{tmp_path}/here\nkept\n"


def test_a_here_document_is_no_end_of_a_command(terminal: Terminal) -> None:
    assert terminal.run("cat <<'EOF'\n$ one\ntwo\nEOF").text == "$ one\ntwo\n"


def test_a_program_sees_a_terminal(terminal: Terminal) -> None:
    assert terminal.run("test -t 0 && test -t 1 && test -t 2").status == 0


def test_a_question_is_answered_and_both_are_seen(terminal: Terminal) -> None:
    printed = terminal.run(ASK, answers=[("Delete 4 nodes? [y/N]:", "y")])

    assert (printed.text, printed.status) == ("Delete 4 nodes? [y/N]: y\ngot y\n", 0)


def test_a_question_without_an_answer_ends_the_command_at_once(terminal: Terminal) -> None:
    printed = terminal.run(ASK)

    assert (printed.status, printed.reason) == (None, "asks, and the page does not answer")
    assert printed.text == "Delete 4 nodes? [y/N]: "


def test_ctrl_c_ends_the_program_and_not_the_shell(terminal: Terminal) -> None:
    waiting = "sh -c 'echo waiting; exec sleep 1000'"

    printed = terminal.run(waiting, interrupt_after=re.compile("waiting"))

    assert (printed.text.rstrip(), printed.status) == ("waiting\n^C", 130)
    assert terminal.run("echo still here").text == "still here\n"


def test_ctrl_c_works_where_the_tests_themselves_ignore_it(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Terminal([], cwd=tmp_path, environment=os.environ) as terminal:
            printed = terminal.run("sh -c 'echo waiting; exec sleep 1000'", interrupt_after=re.compile("waiting"))
    finally:
        signal.signal(signal.SIGINT, before)

    assert printed.status == 130


def test_a_command_that_does_not_end_is_given_up(terminal: Terminal) -> None:
    # The shell has begun, and what is counted is the command alone.
    terminal.run("true")
    printed = terminal.run("echo before; sleep 1000", timeout=3)

    assert (printed.text, printed.status, printed.reason) == ("before\n", None, "did not end in 3 s")


def test_a_command_that_ends_the_shell_is_told(terminal: Terminal) -> None:
    printed = terminal.run("echo bye; exit 3")

    assert (printed.text, printed.status, printed.reason) == ("bye\n", None, "ended the shell")
