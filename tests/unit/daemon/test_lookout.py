"""The end of the look at overlays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.daemon.lookout import Lookout
from provisioner.daemon.workers import Workers
from provisioner.model.event import Event


async def test_a_change_that_is_served_while_the_daemon_ends_is_not_looked_at(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workers, seen = Workers(), list[Event]()
    lookout = Lookout(Paths.below(tmp_path), workers, seen.append, lambda: "ab" * 32)

    await lookout.close()
    workers.close()
    lookout.look()
    for _ in range(5):
        await asyncio.sleep(0)

    assert (seen, caplog.records) == ([], [])
