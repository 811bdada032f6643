from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cli.stormtable import show
from provisioner.lab.storm import scratch
from provisioner.lab.storm.plan import Plan, Weather
from provisioner.lab.storm.storm import Wanted, storm

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.needs("nsenter", "ip"), pytest.mark.timeout(3000)]

NODES = 10_000


@pytest.mark.parametrize("kills", [0, 2], ids=["whole", "killed twice"])
def test_ten_thousand_nodes_boot_with_one_percent_loss_and_none_fails_for_good(
    kills: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(
        head=str(scratch.HEAD.ip),
        relay=str(scratch.RELAY),
        weather=Weather(loss=0.01),
        spread=180.0,
        patience=2400.0,
    )

    result = storm(Wanted(NODES, plan, kills=kills), tmp_path / "storm")

    with capsys.disabled():
        show(result, "table", {"loader": 128 << 10, "image": 1 << 20, "loss": 1, "think": 1, "seed": 1})
    assert not result.failed, result.causes()
    assert result.ready == NODES
    assert len(result.bill.outages) == kills
