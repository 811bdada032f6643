from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.host.run import run
from provisioner.lab.daemon import prov
from provisioner.lab.storm import scratch
from provisioner.lab.storm.plan import Plan, Weather
from provisioner.lab.storm.storm import Wanted, storm

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("nsenter", "ip"),
    pytest.mark.timeout(600),
]

BAD = Weather(loss=0.03, duplicates=0.03, reordering=0.03, delay=0.001)


def plan(weather: Weather, *, think: float, spread: float = 0.0, patience: float = 400.0) -> Plan:
    return Plan(
        head=str(scratch.HEAD.ip),
        relay=str(scratch.RELAY),
        weather=weather,
        think=think,
        spread=spread,
        patience=patience,
    )


def test_nodes_get_ready_through_loss_duplicates_reordering_and_a_killed_daemon(tmp_path: Path) -> None:
    result = storm(Wanted(30, plan(BAD, think=0.05), kills=1), tmp_path / "storm")

    assert not result.failed, result.causes()
    assert result.ready == 30
    assert len(result.bill.outages) == 1
    assert result.bill.front > 0
    assert "Traceback" not in (tmp_path / "storm" / "clients-0.log").read_text()


def test_five_hundred_nodes_boot_at_once_and_none_fails_for_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = storm(Wanted(500, plan(Weather(loss=0.01), think=0.3)), tmp_path / "storm")

    with capsys.disabled():
        print(json.dumps(result.summary(), indent=1))
    assert not result.failed, result.causes()
    assert result.ready == 500
    assert "Traceback" not in (tmp_path / "storm" / "daemon.log").read_text()


def test_the_command_prints_what_the_storm_showed(tmp_path: Path) -> None:
    words = ("--nodes", "4", "--loss", "5", "--think", "0.02", "--image", "64KiB", "--format", "json")

    told = json.loads(run(prov(Paths.below(tmp_path / "unused"), "lab", "storm", *words)))

    assert told["summary"]["ready"] == told["summary"]["ready_by_record"] == 4
    assert told["options"]["image"] == 64 << 10
    assert [row["step"] for row in told["steps"]][:3] == ["firmware dhcp", "loader", "ipxe dhcp"]
