from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from provisioner.errors import CommandError, UnavailableError
from provisioner.host.run import run
from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Identity, Process

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("nsenter", "ip")]


def identity(process: Process) -> Identity:
    assert process.identity is not None
    return process.identity


def test_a_namespace_has_no_network_but_its_own() -> None:
    with Namespace() as namespace:
        links = namespace.run(["ip", "-brief", "link"])
        devices = namespace.run(["ls", "/sys/class/net"])

    assert links.split()[:2] == ["lo", "UNKNOWN"]
    assert "eth0" not in devices


def test_the_network_of_the_machine_stays_as_it_is() -> None:
    before = run(["ip", "-oneline", "link"])
    with Namespace() as namespace:
        namespace.run(["ip", "link", "add", "br0", "type", "bridge"])

        assert run(["ip", "-oneline", "link"]) == before


def test_a_program_inside_sees_only_processes_of_the_namespace() -> None:
    with Namespace() as namespace:
        numbers = [word for word in namespace.run(["ls", "/proc"]).split() if word.isdigit()]

    assert numbers[0] == "1"
    assert len(numbers) <= 3


def test_a_failing_program_fails_as_it_does_outside() -> None:
    with Namespace() as namespace, pytest.raises(CommandError) as failed:
        namespace.run(["sh", "-c", "echo broken >&2; exit 7"])

    assert (failed.value.status, failed.value.output) == (7, "broken")


def test_a_missing_program_is_named() -> None:
    with Namespace() as namespace, pytest.raises(UnavailableError, match="no-such-program is not installed"):
        namespace.run(["no-such-program"])


def test_everything_inside_ends_with_the_namespace_even_what_hid_from_it(tmp_path: Path) -> None:
    hiding = f"trap '' TERM HUP; setsid sh -c 'echo $$ > {tmp_path}/pid; sleep 600' & sleep 600"
    with Namespace() as namespace:
        process = namespace.spawn(["sh", "-c", hiding], cwd=tmp_path)
        first, shell = namespace.first, identity(process)
        while not (tmp_path / "pid").exists():
            time.sleep(0.01)
        assert first.alive()
        assert shell.alive()

    assert not first.alive()
    assert not shell.alive()
    assert process.wait(5)


def test_a_process_can_be_killed_and_started_again(tmp_path: Path) -> None:
    with Namespace() as namespace:
        killed = namespace.spawn(["sleep", "600"], cwd=tmp_path)
        killed.kill()
        again = namespace.spawn(["sleep", "600"], cwd=tmp_path)

        assert killed.status == -signal.SIGKILL
        assert again.running


def test_a_process_that_ignores_the_polite_end_is_killed(tmp_path: Path) -> None:
    with Namespace() as namespace:
        process = namespace.spawn(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], cwd=tmp_path)
        time.sleep(0.2)
        process.end(grace=0.5)

        assert not process.running


def test_a_program_that_ends_at_once_has_a_status(tmp_path: Path) -> None:
    with Namespace() as namespace:
        process = namespace.spawn(["sh", "-c", "exit 3"], cwd=tmp_path)

        assert process.wait(5)
        assert process.status == 3
