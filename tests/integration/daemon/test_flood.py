"""Strangers do their worst at once, and a machine boots meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.world import World, until, world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("nsenter", "ip"),
    pytest.mark.timeout(600),
]

HALF_OPEN = 10_000
SLOW = 5_000
ATTACKER = Path(__file__).resolve().parents[2] / "support" / "attacker.py"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[World]:
    """A head node that serves, two machines that boot, and addresses from which others attack."""
    with world(tmp_path, nodes=200) as made:
        made.daemon.start()
        yield made
        made.daemon.stop()
    assert "Traceback" not in made.log()


@contextmanager
def attacked(place: World, *, half_open: int, slow: int) -> Iterator[None]:
    addresses = ",".join(each.address for each in place.machines[100:])
    words = (sys.executable, ATTACKER, place.plan.head, place.plan.relay, addresses, str(half_open), str(slow))
    log = place.folder / "attacker.log"
    with log.open("wb") as output:
        attacker = place.clients.spawn(words, output=output, cwd=place.folder)
    until(lambda: "all at once" in log.read_text(), patience=240)
    assert attacker.running, log.read_text()
    yield
    assert attacker.running, log.read_text()
    attacker.kill()


def test_machines_boot_while_the_daemon_is_attacked_from_all_sides(place: World) -> None:
    with attacked(place, half_open=HALF_OPEN, slow=SLOW):
        place.boots(1, 2)

    place.boots(3)
