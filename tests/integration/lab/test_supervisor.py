"""Nothing that a lab starts outlives it, whatever ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, UnavailableError
from provisioner.host.run import run, spawn
from provisioner.lab import control
from provisioner.lab.process import Identity
from provisioner.lab.state import LabState, socket_file, state_file

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("qemu-system-x86_64", "dnsmasq")]

CHECKOUT = Path(__file__).resolve().parents[3]
BOOT = {"verb": "boot", "node": "n001", "mac": "52:54:00:00:00:01", "firmware": "bios", "memory": 256}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path)


@pytest.fixture
def holder(paths: Paths) -> Iterator[subprocess.Popen[bytes]]:
    process = spawn([sys.executable, "-m", "tests.support.lab_holder", paths.site], cwd=CHECKOUT)
    eventually(lambda: LabState.read(paths) is not None)
    yield process
    process.kill()
    process.wait()


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def everything_below(process: subprocess.Popen[bytes]) -> list[Identity]:
    found = (Identity.of(child.pid) for child in psutil.Process(process.pid).children(recursive=True))
    return [identity for identity in found if identity is not None]


def names(identities: list[Identity]) -> set[str]:
    found = set()
    for identity in identities:
        # One that has just ended has no name any more.
        with suppress(psutil.NoSuchProcess):
            found.add(psutil.Process(identity.pid).name())
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGSEGV], ids=str)
def test_whatever_signal_ends_the_supervisor_nothing_stays(
    paths: Paths, holder: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    links = run(["ip", "-oneline", "link"])
    control.ask(paths, BOOT)
    eventually(lambda: {"dnsmasq", "qemu-system-x86_64"} <= names(everything_below(holder)))
    started = everything_below(holder)

    holder.send_signal(number)
    holder.wait(30)

    eventually(lambda: not any(identity.alive() for identity in started))
    assert LabState.read(paths) is None
    assert run(["ip", "-oneline", "link"]) == links


def test_down_ends_everything_and_says_so(paths: Paths, holder: subprocess.Popen[bytes]) -> None:
    control.ask(paths, BOOT)
    started = everything_below(holder)

    assert control.down(paths)

    assert not any(identity.alive() for identity in started)
    assert not state_file(paths).exists()
    assert not control.down(paths)


def test_down_kills_a_supervisor_that_does_not_listen(
    paths: Paths, holder: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(control, "_DOWN_SECONDS", 1.0)
    started = everything_below(holder)
    holder.send_signal(signal.SIGSTOP)

    assert control.down(paths)

    eventually(lambda: not any(identity.alive() for identity in started))
    assert not socket_file(paths).exists()


def test_the_status_tells_what_is_on(paths: Paths, holder: subprocess.Popen[bytes]) -> None:
    control.ask(paths, BOOT)
    on = control.ask(paths, {"verb": "status"})
    control.ask(paths, {"verb": "off", "node": "n001"})
    off = control.ask(paths, {"verb": "status"})

    assert on["daemon"] is True
    assert [(each["node"], each["on"]) for each in on["machines"]] == [("n001", True)]
    assert [(each["node"], each["on"]) for each in off["machines"]] == [("n001", False)]


def test_a_bad_request_is_answered_and_harms_nothing(paths: Paths, holder: subprocess.Popen[bytes]) -> None:
    for request in ({}, {"verb": "explode"}, BOOT | {"mac": "no"}, BOOT | {"node": "a,b"}, BOOT | {"memory": []}):
        with pytest.raises(UnavailableError, match="not a request that a lab knows"):
            control.ask(paths, request)

    assert control.ask(paths, {"verb": "status"})["machines"] == []


def test_a_second_lab_of_the_same_site_is_refused(paths: Paths, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(ConflictError, match="the lab is up already"):
        control.up(paths)


def test_the_console_shows_the_serial_line_until_the_lab_is_down(
    paths: Paths, holder: subprocess.Popen[bytes]
) -> None:
    control.ask(paths, BOOT)

    lines = control.console(paths, "n001")

    assert any("SeaBIOS" in line for line in lines)
    control.down(paths)
    list(lines)
