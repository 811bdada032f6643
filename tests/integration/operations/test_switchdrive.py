"""A switch on its way, with the real daemon: machines boot as they are told, and `prov switch` follows them."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from provisioner.host.files import locked
from provisioner.model.switch import Switch, SwitchState
from provisioner.operations.switches import find
from provisioner.registry.view import SiteView
from tests.support.daemon import HeadNode, Machine, eventually, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip"), pytest.mark.timeout(900)]

OLD, NEW = "demo@1", "rocky@1"
PATIENCE = 120.0
NUMBERS = itertools.count()


class Drive:
    """A `prov switch` that runs in the background, and what it printed so far."""

    def __init__(self, head: HeadNode, *words: str) -> None:
        self._log = head.new_file()
        # Whoever runs the tests may have told their programs not to listen to Ctrl-C.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "provisioner"]
        command += ["--root", str(head.paths.site), "switch", *words, "--yes"]
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def text(self) -> str:
        return self._log.read_text()

    def says(self, words: str) -> None:
        eventually(lambda: words in self.text or self.process.poll() is not None, patience=PATIENCE)
        assert words in self.text, self.text

    def ends(self) -> int:
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)


class Rack:
    """Machines that no other test has, and a switch of them; nodes are restarted by writing down their names."""

    def __init__(self, head: HeadNode, size: int) -> None:
        self.head = head
        self.machines = [head.machine() for _ in range(size)]
        self.names = [each.node for each in self.machines]
        self.nodes = ",".join(self.names)
        self.switch_name = f"switch{next(NUMBERS)}"
        self._restarted = head.new_file()
        self._drives: list[Drive] = []

    def start(self, *words: str, reboot: str = "") -> Drive:
        command = reboot or f"sh -c 'echo {{node}} >> {self._restarted}'"
        named = ("start", self.nodes, "--to", "rocky", "--name", self.switch_name)
        return self._drive(*named, "--canary", "1", "--batch", "2", "--reboot-command", command, *words)

    def resume(self) -> Drive:
        return self._drive("resume", self.switch_name)

    def _drive(self, *words: str) -> Drive:
        self._drives.append(Drive(self.head, *words))
        return self._drives[-1]

    def end(self) -> None:
        for drive in self._drives:
            drive.kill()

    @property
    def restarted(self) -> list[str]:
        return self._restarted.read_text().split() if self._restarted.exists() else []

    def has_restarted(self, count: int) -> bool:
        return len(self.restarted) >= count

    @property
    def switch(self) -> Switch:
        return find(SiteView.of(self.head.paths), self.switch_name)

    def script(self, number: int) -> str:
        machine = self.machines[number]
        return machine.get(f"/boot/{machine.mac.hyphenated}").text


def gets_ready(machine: Machine) -> None:
    machine.report(machine.hand_over(), "system.report", state="running")
    machine.reaches("ready")


def gets_degraded(machine: Machine) -> None:
    machine.report(machine.hand_over(), "system.report", state="degraded", failed="munge.service ")
    machine.reaches("degraded")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        # A template that never ends costs every change ten seconds, and is looked at elsewhere.
        head.write("overlays/endless/rootfs/etc/endless.j2", "an end\n")
        head.prov("image", "copy", "demo", "rocky")
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


@pytest.fixture
def rack(head: HeadNode) -> Iterator[Rack]:
    rack = Rack(head, 3)
    yield rack
    rack.end()


def test_a_ready_canary_moves_the_next_ones_and_all_of_them_end_the_drive(rack: Rack) -> None:
    first, second, third = rack.machines
    drive = rack.start()
    drive.says(f"restart {first.node}")
    assert f"boots {NEW} at revision" in rack.script(0)
    assert f"boots {OLD} at revision" in rack.script(1)

    gets_ready(first)
    drive.says(f"moved to {NEW}: {second.node}, {third.node}")
    drive.says(f"restart {second.node}, {third.node}")
    gets_ready(second)
    drive.says(f"{second.node} runs {NEW} and is ready")
    gets_ready(third)

    assert drive.ends() == 0, drive.text
    assert f"all 3 nodes run {NEW}; prov switch finish {rack.switch_name}" in drive.text
    assert {each.boot.generation for each in rack.machines} == {NEW}
    assert sorted(rack.restarted) == rack.names
    assert rack.switch.state is SwitchState.MOVED


def test_a_canary_that_is_degraded_stops_the_switch_and_nobody_else_is_moved(rack: Rack) -> None:
    drive = rack.start()
    drive.says("restart ")
    gets_degraded(rack.machines[0])

    assert drive.ends() == 1
    assert f"{rack.names[0]} failed: degraded: systemd says degraded: munge.service" in drive.text
    assert f"the switch {rack.switch_name} stopped: 1 of 1 nodes failed" in drive.text
    assert f"prov switch undo {rack.switch_name}" in drive.text
    assert rack.restarted == rack.names[:1]
    assert f"boots {OLD} at revision" in rack.script(1)


def test_a_node_that_failed_gets_another_chance_and_the_switch_goes_on(rack: Rack) -> None:
    stopped = rack.start()
    stopped.says("restart ")
    gets_degraded(rack.machines[0])
    assert stopped.ends() == 1

    drive = rack.resume()
    drive.says(f"restart {rack.names[0]}")
    gets_ready(rack.machines[0])
    drive.says("moved to")

    assert rack.restarted[:2] == [rack.names[0]] * 2


def test_a_pause_from_another_terminal_ends_the_drive_and_keeps_what_was_moved(rack: Rack) -> None:
    drive = rack.start()
    drive.says("restart ")
    rack.head.prov("switch", "pause", rack.switch_name, "--yes")

    assert drive.ends() == 0
    assert f"the switch {rack.switch_name} is paused" in drive.text
    assert rack.switch.moved == (rack.names[0],)
    assert f"boots {NEW} at revision" in rack.script(0)


def test_undo_from_another_terminal_ends_the_drive_and_restarts_who_was_moved(rack: Rack) -> None:
    drive = rack.start()
    drive.says("restart ")
    rack.head.prov("switch", "undo", rack.switch_name, "--yes")

    assert drive.ends() == 0
    assert f"the switch {rack.switch_name} is undone" in drive.text
    assert rack.restarted == [rack.names[0]] * 2
    assert f"boots {OLD} at revision" in rack.script(0)


def test_a_drive_that_is_killed_at_any_station_is_gone_on_with_and_nobody_restarts_twice(rack: Rack) -> None:
    first, second, third = rack.machines
    stations = [
        (rack.start(), f"restart {first.node}", first),
        (None, f"moved to {NEW}: {second.node}, {third.node}", second),
        (None, f"{second.node} runs {NEW} and is ready", third),
    ]
    for drive, words, machine in stations:
        current = drive or rack.resume()
        current.says(words)
        if machine is second:
            current.says(f"restart {second.node}, {third.node}")
        # It says so first: one that is killed in between has restarted nobody.
        told = 1 if machine is first else 3
        eventually(partial(rack.has_restarted, told), patience=PATIENCE)
        current.kill()
        # Both of a batch are on their way before the next drive looks at them.
        for each in [second, third] if machine is second else []:
            each.start()
        gets_ready(machine)

    last = rack.resume()

    assert last.ends() == 0, last.text
    assert f"all 3 nodes run {NEW}" in last.text
    assert sorted(rack.restarted) == rack.names


def test_of_two_drives_one_looks_on_and_takes_over_when_the_other_is_killed(rack: Rack) -> None:
    first, second, third = rack.machines
    driving = rack.start()
    driving.says(f"restart {first.node}")
    looking = rack.resume()
    looking.says(f"another prov drives the switch {rack.switch_name}; this one looks on")

    gets_ready(first)
    driving.says(f"restart {second.node}, {third.node}")
    looking.says(f"moved to {NEW}: {second.node}, {third.node}")
    driving.kill()
    gets_ready(second)
    gets_ready(third)

    assert looking.ends() == 0, looking.text
    assert sorted(rack.restarted) == rack.names


def test_ctrl_c_says_how_to_go_on_and_takes_nothing_back(rack: Rack) -> None:
    drive = rack.start()
    drive.says("restart ")
    drive.process.send_signal(signal.SIGINT)

    assert drive.ends() == 1
    words = f"interrupted: nodes keep what they have; prov switch resume {rack.switch_name} goes on"
    assert words in drive.text
    assert rack.switch.state is SwitchState.RUNNING
    assert f"boots {NEW} at revision" in rack.script(0)


def test_nodes_may_be_edited_while_the_switch_goes_on(rack: Rack) -> None:
    drive = rack.start()
    drive.says("restart ")
    for number in range(3):
        rack.head.prov("node", "set", rack.nodes, f"tags.edit=e{number}", "--yes")
    gets_ready(rack.machines[0])
    drive.says("moved to")
    for machine in rack.machines[1:]:
        gets_ready(machine)

    assert drive.ends() == 0, drive.text
    assert rack.switch.state is SwitchState.MOVED


def waits_for_the_lock(process: subprocess.Popen[bytes]) -> bool:
    """Whether the kernel holds a process back at a lock of a file (proc_locks(5))."""
    held = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any("->" in words and str(process.pid) in words for words in held)


def test_a_node_that_gets_another_image_while_it_is_moved_is_looked_at_again(rack: Rack) -> None:
    drive = rack.start("--batch", "1")
    drive.says("restart ")
    paths = rack.head.paths
    with locked(paths.write_lock):
        gets_ready(rack.machines[0])
        eventually(lambda: waits_for_the_lock(drive.process), patience=PATIENCE)
        # What the drive would write now was worked out before this.
        rack.head.write("nodes.d/zz.yaml", f"nodes: {{{rack.names[1]}: {{image: {NEW}}}}}\n")
    drive.says(f"moved to {NEW}: {rack.names[1]}")
    for machine in rack.machines[1:]:
        drive.says(f"restart {machine.node}")
        gets_ready(machine)

    assert drive.ends() == 0, drive.text
    assert rack.switch.ready == frozenset(rack.names)


def test_a_command_that_cannot_restart_the_canary_stops_the_switch_with_its_words(rack: Rack) -> None:
    drive = rack.start(reboot="sh -c 'echo no route to {node} >&2; exit 7'")

    assert drive.ends() == 1
    assert f"no route to {rack.names[0]}" in rack.switch.failed[rack.names[0]]
    assert rack.switch.moved == (rack.names[0],)


def test_a_node_that_nobody_restarts_fails_when_patience_is_over(rack: Rack) -> None:
    drive = rack.start("--patience", "10")

    assert drive.ends() == 1
    assert f"{rack.names[0]} failed: not ready after 10 s: no boot of {NEW}" in drive.text


def shown(rack: Rack, *words: str) -> Any:
    return json.loads(rack.head.prov("switch", *words, "--format", "json"))


def test_status_shows_what_runs_next_to_what_is_assigned_all_along(rack: Rack) -> None:
    canary, other = rack.machines[:2]
    gets_ready(other)
    drive = rack.start()
    drive.says("restart ")
    gets_ready(canary)
    drive.says("moved to")

    found = {each["node"]: (each["running"], each["assigned"]) for each in rack.head.status()["nodes"]}
    assert found[canary.node] == (NEW, NEW)
    assert found[other.node] == (OLD, NEW)
    steps = {each["node"]: each["state"] for each in shown(rack, "show", rack.switch_name)["steps"]}
    assert (steps[canary.node], steps[other.node]) == ("done", "moved, not ready yet")
