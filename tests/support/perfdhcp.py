"""Kea's load generator for DHCP servers: so many exchanges a second, by so many machines of `write_nodes`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from provisioner.host.run import spawn
from tests.support.rig import HEAD, Rig, mac_of

_DELAY = re.compile(r"sent / received: ([\d.]+) / ([\d.]+)")
_SENT = re.compile(r"sent packets: (\d+)")
_RECEIVED = re.compile(r"received packets: (\d+)")
_HALVES = 2
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """DISCOVERs sent, whole exchanges, messages without an answer, and the milliseconds of each answer."""

    started: int
    exchanges: int
    drops: int
    delays: tuple[float, ...]

    def percentile(self, share: float) -> float:
        """The delay in milliseconds that this share of the answers kept to."""
        return self.delays[min(int(len(self.delays) * share), len(self.delays) - 1)] if self.delays else 0.0


def perfdhcp(place: Rig, folder: Path, *, machines: int, rate: int, seconds: int) -> Load:
    """Run it as a relay in the clients' namespace; AssertionError where it does not end by itself."""
    options = ["-4", "-r", str(rate), "-R", str(machines), "-p", str(seconds), "-W", "1000000", "-x", "t"]
    command = ["perfdhcp", *options, "-b", f"mac={mac_of(1)}", "-l", place.theirs, str(HEAD.ip)]
    printed = folder / "perfdhcp.txt"
    with printed.open("wb") as output:
        process = spawn(["ip", "netns", "exec", place.clients.name, *command], stdout=output)
    try:
        # It ends with 3 where a message had no answer; those are counted below.
        assert process.wait(seconds + _PATIENCE) in (0, 3), printed.read_text()[:2000]
    except TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("perfdhcp does not end") from None
    return _read(printed.read_text())


def _read(text: str) -> Load:
    sent, received = ([int(each) for each in found.findall(text)] for found in (_SENT, _RECEIVED))
    assert len(sent) == len(received) == _HALVES, text[:2000]
    delays = sorted((float(after) - float(before)) * 1000 for before, after in _DELAY.findall(text))
    return Load(sent[0], received[1], sum(sent) - sum(received), tuple(delays))
