"""The life of a daemon: start, readiness, the end that systemd asks for, and the end that nobody asks for."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from provisioner.errors import UnavailableError
from provisioner.lab.daemon import prov
from tests.support.cputime import cpu_seconds, since
from tests.support.daemon import ADDRESS, KERNEL, ROOT, HeadNode, eventually, gone, kill, processes

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip", "prlimit")]


def test_a_boot_goes_on_under_its_id_after_the_daemon_was_killed(head: HeadNode) -> None:
    machine, later = head.machine(), head.machine()
    tokens, system = machine.start(), later.hand_over()
    boot = machine.boot

    kill(head.daemon)
    head.daemon.start()

    assert machine.get(f"/t/{tokens.script}/kernel").body == KERNEL
    assert machine.get(f"/t/{tokens.stage1}/root").body == ROOT
    assert machine.get(f"/t/{tokens.stage1}/sheet").pairs["boot"] == boot.id
    assert machine.get(f"/t/{tokens.script}/kernel").status == 403
    machine.report(machine.report(tokens.stage1, "handover.done").text, "system.report", state="running")
    machine.reaches("ready")
    assert (machine.boot.id, machine.boot.revision) == (boot.id, boot.revision)
    assert later.report(system, "system.report", state="running").status == 200


def test_a_stage_that_was_closed_before_the_daemon_was_killed_stays_closed(head: HeadNode) -> None:
    machine = head.machine()
    tokens = machine.start()
    machine.report(tokens.stage1, "handover.done")

    kill(head.daemon)
    head.daemon.start()

    assert machine.get(f"/t/{tokens.stage1}/root").status == 403
    assert machine.get(f"/t/{tokens.script}/kernel").status == 403


def test_the_end_of_a_boot_is_on_the_disk_before_the_node_has_its_answer(head: HeadNode) -> None:
    # No waiting here: a node that was answered does not say it again.
    ends, records = {}, {}
    for state in ("failed", "rescue", "ready", "degraded"):
        machine = head.machine()
        if state in {"failed", "rescue"}:
            event = {"failed": "failed", "rescue": "rescue.entered"}[state]
            ends[state] = machine.report(machine.start().stage1, event, reason="no root").status
        else:
            told = {"ready": "running", "degraded": "degraded"}[state]
            ends[state] = machine.report(machine.hand_over(), "system.report", state=told).status
        records[state] = machine.boot.state

    assert set(ends.values()) == {200}
    assert records == {state: state for state in records}


def test_a_killed_daemon_leaves_no_workers_behind(head: HeadNode) -> None:
    assert len(processes(head.daemon)) > 1

    kill(head.daemon)


def test_workers_that_are_killed_are_replaced_and_the_next_machine_gets_its_script(head: HeadNode) -> None:
    machine = head.machine()
    machine.start()
    running = {each: " ".join(each.cmdline()) for each in processes(head.daemon)[1:]}
    for worker in (each for each, words in running.items() if "spawn_main" in words):
        # The daemon ends the others of a pool itself, as soon as it sees that one has died.
        with suppress(psutil.NoSuchProcess):
            worker.kill()

    other = head.machine()

    assert other.get(f"/t/{other.start().stage1}/sheet").status == 200


def test_sigterm_ends_it_cleanly_and_the_command_line_still_answers(head: HeadNode) -> None:
    running, process = processes(head.daemon), head.daemon.process
    assert process is not None

    process.send(signal.SIGTERM)

    assert process.wait(20)
    assert process.status == 0
    eventually(lambda: all(gone(each) for each in running))
    assert not head.paths.control_socket.exists()
    assert head.status()["daemon"] is None
    assert "n001" in head.prov("node", "list")


def test_sigterm_ends_it_while_a_template_without_end_is_rendered(head: HeadNode) -> None:
    token, process = head.endless.start().stage1, head.daemon.process
    assert process is not None
    pid = processes(head.daemon)[0].pid
    words = ["curl", "--silent", "--interface", head.endless.address, f"http://{ADDRESS.ip}:8080/t/{token}/sheet"]
    head.namespace.spawn(words, cwd=head.paths.site)
    # However little of the processor others leave to it.
    before = cpu_seconds(pid)
    eventually(lambda: since(before, cpu_seconds(pid)) > 0.5)

    process.send(signal.SIGTERM)

    assert process.wait(30)
    assert process.status == 0


def test_it_tells_the_service_manager_when_it_is_ready_and_when_it_stops(head: HeadNode, tmp_path: Path) -> None:
    head.daemon.stop()
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(60)
        with (tmp_path / "log").open("wb") as output:
            words = ["env", f"NOTIFY_SOCKET={path}", *prov(head.paths, "serve")]
            process = head.namespace.spawn(words, output=output, cwd=tmp_path)

            assert manager.recv(4096).decode().splitlines()[0] == "READY=1"
            assert head.machine().get("/autoexec.ipxe").status == 200
            process.send(signal.SIGTERM)
            assert manager.recv(4096) == b"STOPPING=1"
            assert process.wait(20)


def test_it_may_hold_more_connections_than_the_usual_limit(head: HeadNode, tmp_path: Path) -> None:
    head.daemon.stop()
    with (tmp_path / "log").open("wb") as output:
        words = ["prlimit", "--nofile=1024:4096", *prov(head.paths, "serve")]
        process = head.namespace.spawn(words, output=output, cwd=tmp_path)
        eventually(lambda: head.status()["daemon"], patience=90)

        assert process.identity is not None
        assert psutil.Process(process.identity.pid).rlimit(psutil.RLIMIT_NOFILE) == (4096, 4096)

        process.send(signal.SIGTERM)
        assert process.wait(20)


def test_a_second_daemon_of_the_same_site_is_refused_and_the_first_one_stays(head: HeadNode) -> None:
    error = head.prov_fails("serve")

    assert error.status == 1
    assert f"a daemon already serves {head.paths.site}" in error.output
    assert "hint: prov status" in error.output
    assert head.machine().get("/autoexec.ipxe").status == 200


def test_a_site_that_was_always_broken_does_not_start_and_every_mistake_is_named(house: HeadNode) -> None:
    house.daemon.stop()
    house.paths.current_revision.unlink(missing_ok=True)
    house.write("provisioner.yaml", "cluster: demo\nnetworks: {}\ncolour: red\n")

    error = house.prov_fails("serve")

    assert error.status == 1
    assert "provisioner.yaml:2:" in error.output
    assert "provisioner.yaml:3:1: unknown key 'colour'" in error.output


def test_a_site_that_broke_while_the_daemon_was_down_is_served_as_it_was_last_good(head: HeadNode) -> None:
    good = head.revision
    head.daemon.stop()
    head.write("groups.d/compute.yaml", "groups:\n  compute: {imag: demo}\n")

    head.daemon.start()

    assert head.revision == good
    assert "groups.d/compute.yaml:2:13: unknown key 'imag'" in head.prov("status")
    machine = head.machine()
    assert "boots demo@1" in machine.get(f"/boot/{machine.mac}").text


def test_a_head_node_without_its_address_is_told_what_to_type(head: HeadNode) -> None:
    head.daemon.stop()
    head.write("provisioner.yaml", "cluster: demo\nnetworks: {provision: {cidr: 10.67.0.0/24}}\n")
    head.write("nodes.d/rack1.yaml", "nodes:\n")

    error = head.prov_fails("serve")

    assert error.status == 1
    assert "no network device of this machine has 10.67.0.1" in error.output
    assert "hint: ip address add 10.67.0.1/24 dev DEVICE, or set networks.provision.server" in error.output


def test_a_port_that_another_program_has_is_named(head: HeadNode) -> None:
    head.daemon.stop()
    words = [sys.executable, "-m", "http.server", "--bind", str(ADDRESS.ip), "8080"]
    other = head.namespace.spawn(words, cwd=head.paths.site)
    try:
        eventually(lambda: ":8080" in head.namespace.run(["ss", "-lnt"]))

        with pytest.raises(UnavailableError, match=r"HTTP cannot listen on 10\.66\.0\.1 port 8080: Address"):
            head.daemon.start()
    finally:
        other.kill()
