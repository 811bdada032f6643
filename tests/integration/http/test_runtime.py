"""The route of the runtime overlays: asked with a condition, and held until there is news."""

from __future__ import annotations

import hashlib

import pytest

from provisioner.operations import live
from provisioner.operations.push import push
from tests.support.daemon import HeadNode, Machine, eventually

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip")]


def test_the_tag_is_the_digest_and_what_is_known_is_not_sent_again(machine: Machine) -> None:
    path = f"/t/{machine.hand_over()}/overlay/runtime"
    first = machine.get(path)
    tag = first.headers["etag"]
    again = machine.get(path, "--header", f"If-None-Match: {tag}")

    assert tag == f'"{hashlib.sha256(first.body).hexdigest()}"'
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert machine.get(path, "--header", 'If-None-Match: "old"').status == 200
    eventually(lambda: len(machine.events("overlay.sent")) == 2)


def test_a_preference_to_wait_does_not_hold_back_what_is_new(machine: Machine) -> None:
    path = f"/t/{machine.hand_over()}/overlay/runtime"

    assert machine.get(path, "--header", "Prefer: wait=50").status == 200


def test_a_held_question_ends_when_its_time_is_over(machine: Machine) -> None:
    path = f"/t/{machine.hand_over()}/overlay/runtime"
    tag = machine.get(path).headers["etag"]

    held = machine.get(path, "--header", f"If-None-Match: {tag}", "--header", "Prefer: respond-async, wait=1")

    assert held.status == 304


def test_a_pushed_node_gets_the_archive_that_it_knows_once(head: HeadNode, machine: Machine) -> None:
    path = f"/t/{machine.hand_over()}/overlay/runtime"
    tag = machine.get(path).headers["etag"]
    pushed = push(head.paths, [machine.node])

    answers = [machine.get(path, "--header", f"If-None-Match: {tag}").status for _ in range(2)]

    assert pushed.next == (machine.node,)
    assert answers == [200, 304]


def test_the_daemon_stops_at_once_while_questions_are_held(head: HeadNode, machine: Machine) -> None:
    path = f"/t/{machine.hand_over()}/overlay/runtime"
    tag = machine.get(path).headers["etag"]
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"If-None-Match: {tag}"]
    held = head.namespace.spawn(
        [*words, "-H", "Prefer: wait=55", f"http://10.66.0.1:8080{path}"], cwd=head.paths.site
    )
    push(head.paths, [head.machine().node])

    head.daemon.stop()
    held.wait(10)

    head.daemon.start()
    assert live.status(head.paths) is not None
