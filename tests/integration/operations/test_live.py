"""What commands do with a daemon that answers, one that does not, and none."""

from __future__ import annotations

import json
import os
import socket
import socketserver
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from provisioner.cli import node
from provisioner.cli import status as status_command
from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.operations import live
from provisioner.operations.status import site_status
from tests.support.site import SITE, write_site

pytestmark = pytest.mark.integration

Answers = Callable[[int, bytes], None]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {n1: }\n"})
    paths.run.mkdir()
    return paths


@pytest.fixture
def daemon(paths: Paths) -> Iterator[Answers]:
    """Have something on the control socket answer every request with this status and body."""
    with ExitStack() as stack:

        def start(status: int, body: bytes) -> None:
            server = stack.enter_context(
                socketserver.UnixStreamServer(str(paths.control_socket), handler(status, body))
            )
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)

        yield start


def handler(status: int, body: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

        do_POST = do_GET  # noqa: N815 - http.server calls methods by the name of the verb

    return Handler


def answer(**changes: object) -> bytes:
    said: Mapping[str, object] = {"version": "1", "pid": 1, "revision": "ab" * 32, "problems": [], **changes}
    return json.dumps(said).encode()


def test_without_a_socket_and_with_one_that_nobody_listens_on_the_daemon_does_not_run(paths: Paths) -> None:
    assert live.status(paths) is None

    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(paths.control_socket))

    assert (live.status(paths), live.reload(paths), live.serve_changes(paths)) == (None, None, "")


def test_a_root_too_deep_for_a_socket_has_no_daemon(tmp_path: Path) -> None:
    deep = Paths.below(tmp_path / ("d" * 100) / ("d" * 100))
    deep.run.mkdir(parents=True)

    assert live.status(deep) is None


def test_what_the_daemon_says_is_passed_on(paths: Paths, daemon: Answers) -> None:
    daemon(200, answer(nodes=7))

    said = live.status(paths)

    assert said is not None
    assert said["nodes"] == 7


def test_the_process_id_of_the_daemon_is_that_which_counts_here(paths: Paths, daemon: Answers) -> None:
    # In a namespace of its own the daemon is number 2 or so.
    daemon(200, answer(pid=2))

    said = live.status(paths)

    assert said is not None
    assert said["pid"] == os.getpid()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(500, b"out of order", "500 out of order"), (200, b"<html>", "its answer is not JSON")],
)
def test_a_daemon_that_answers_nonsense_runs_but_does_not_answer(
    paths: Paths, daemon: Answers, status: int, body: bytes, reason: str
) -> None:
    daemon(status, body)

    with pytest.raises(UnavailableError, match=f"the daemon runs, but does not answer: {reason}"):
        live.status(paths)


def test_a_daemon_that_breaks_off_runs_but_does_not_answer(paths: Paths) -> None:
    def accept_and_close() -> None:
        listener.accept()[0].close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.control_socket))
        listener.listen()
        thread = Thread(target=accept_and_close)
        thread.start()
        with pytest.raises(UnavailableError, match="runs, but does not answer"):
            live.status(paths)
        thread.join()


def test_an_edit_stays_written_when_the_daemon_does_not_answer(paths: Paths, daemon: Answers) -> None:
    daemon(503, b"later")

    done = CliRunner().invoke(node.command, ["add", "n2", "--yes"], obj=paths)

    assert done.exit_code == 0
    assert "wrote nodes.d/nodes.yaml\n" in done.stdout
    assert done.stderr == ("warning: written, but not served: the daemon runs, but does not answer: 503 later\n")
    assert "n2" in (paths.node_files / "nodes.yaml").read_text()


@pytest.mark.parametrize(("problems", "words"), [(["a"], "1 mistake"), (["a", "b"], "2 mistakes")])
def test_an_edit_of_a_site_with_mistakes_is_written_and_not_served(
    paths: Paths, daemon: Answers, problems: list[str], words: str
) -> None:
    daemon(200, answer(problems=problems))

    done = CliRunner().invoke(node.command, ["add", "n2", "--yes"], obj=paths)

    assert done.exit_code == 0
    assert "wrote nodes.d/nodes.yaml\n" in done.stdout
    assert done.stderr == f"warning: written, but not served: {words} in the site; see prov check\n"


def test_the_status_has_a_line_for_a_daemon_that_does_not_answer(paths: Paths, daemon: Answers) -> None:
    daemon(500, b"broken")

    done = CliRunner().invoke(status_command.command, [], obj=paths)

    assert done.exit_code == 0
    assert done.stderr.startswith("the daemon runs, but does not answer: 500 broken.")
    assert "n1" in done.stdout
    assert site_status(paths).daemon is None
