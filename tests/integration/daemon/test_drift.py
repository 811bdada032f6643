"""`prov status` tells whether running nodes have the runtime overlays that they should have."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.operations import live
from tests.support.daemon import HeadNode, Machine, eventually

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip")]

GROUPS = "groups.d/compute.yaml"


def shown(head: HeadNode, machine: Machine) -> dict[str, Any]:
    (found,) = [node for node in head.status()["nodes"] if node["node"] == machine.node]
    return dict(found)


def shows(head: HeadNode, machine: Machine, state: str) -> None:
    """Wait until the status of a node tells this of its overlays."""
    eventually(lambda: shown(head, machine)["overlays"] == state)


def running(machine: Machine, **facts: str) -> str:
    """Boot a machine up to its first report; its token."""
    answer = machine.report(machine.hand_over(), "system.report", state="running", **facts)
    machine.reaches("degraded" if "runtime_failed" in facts else "ready")
    return answer.text


def look(machine: Machine, token: str) -> str:
    """Fetch the runtime overlays; their digest."""
    return machine.get(f"/t/{token}/overlay/runtime").headers["etag"].strip('"')


def test_what_a_node_has_is_followed_through_an_edit(head: HeadNode) -> None:
    machine = head.machine()
    token = running(machine)
    shows(head, machine, "unknown")

    digest = look(machine, token)
    shows(head, machine, "pending")
    machine.report(token, "system.report", state="running", runtime_sha256=digest)
    shows(head, machine, "current")

    groups = (head.paths.site / GROUPS).read_text()
    head.write(GROUPS, groups.replace("runtime: [hosts]", "runtime: [hosts, motd]"))
    live.reload(head.paths)
    shows(head, machine, "pending")
    assert shown(head, machine)["overlays_since"] > shown(head, machine)["changed"]
    assert "pending " in next(line for line in head.prov("status").splitlines() if machine.node in line)

    changed = look(machine, token)
    assert changed != digest
    machine.report(token, "system.report", state="running", runtime_sha256=changed)
    shows(head, machine, "current")


def test_a_node_that_could_not_apply_them_has_failed(head: HeadNode) -> None:
    machine = head.machine()

    token = running(machine, runtime_sha256="", runtime_failed="no space left")
    look(machine, token)

    shows(head, machine, "failed")
    assert "no space left" in head.prov("status")


def test_a_node_that_never_booted_has_no_state(head: HeadNode) -> None:
    shows(head, head.machine(), "")


def test_without_a_daemon_nothing_is_said_of_a_running_node(head: HeadNode) -> None:
    machine = head.machine()
    token = running(machine)
    machine.report(token, "system.report", state="running", runtime_sha256=look(machine, token))
    shows(head, machine, "current")

    head.daemon.stop()

    shows(head, machine, "unknown")
