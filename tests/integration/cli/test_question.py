"""The question before a change, on a real terminal, and what the real program ends with."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.host.run import run
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration

NODES = "nodes:\n  n[1-4]: {tags: {a: b}}\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": NODES})


def on_terminal(paths: Paths, answer: str, *words: str) -> tuple[int, str]:
    """Run prov with a terminal, type an answer to its question; returns the exit status and what it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "provisioner", "--root", str(paths.site), *words])
    shown = b""
    with os.fdopen(terminal, "r+b", buffering=0) as stream:
        # With the blank, which older versions of click write by itself: an answer may not stand in front of it.
        while b"[y/N]: " not in shown:
            shown += stream.read(1)
        stream.write(f"{answer}\n".encode())
        try:
            while some := stream.read(1024):
                shown += some
        except OSError:
            pass  # Linux says EIO when the other end of a terminal is closed.
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


def test_a_yes_is_asked_for_with_the_count_and_carries_it_out(paths: Paths) -> None:
    status, shown = on_terminal(paths, "y", "node", "delete", "n[1-3]")

    assert status == 0
    assert shown.startswith("delete n[1-3] (3 nodes)\nDelete 3 nodes? [y/N]: y\nwrote nodes.d/n.yaml\n")
    assert (paths.node_files / "n.yaml").read_text() == "nodes:\n  n4: {tags: {a: b}}\n"


@pytest.mark.parametrize("answer", ["n", ""])
def test_anything_else_writes_nothing(paths: Paths, answer: str) -> None:
    status, shown = on_terminal(paths, answer, "node", "set", "n1", "tags.a=c")

    assert status == 1
    assert shown.endswith("nothing is written\n")
    assert (paths.node_files / "n.yaml").read_text() == NODES


def test_a_change_is_committed_to_git_when_asked_for(paths: Paths) -> None:
    git = ["git", "-C", str(paths.site), "-c", "user.name=x", "-c", "user.email=x@y"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "before"]):
        run([*git, *words])

    said = run(
        [
            *(sys.executable, "-m", "provisioner", "--root", str(paths.site)),
            *("node", "set", "n1", "tags.a=c", "--yes", "--commit", "-m", "because"),
        ]
    )

    assert "committed " in said
    assert run([*git, "log", "-1", "--format=%s"]) == "because\n"
    assert run([*git, "show", "--format=", "--name-only"]) == "nodes.d/n.yaml\n"
