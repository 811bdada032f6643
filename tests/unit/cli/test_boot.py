"""What `prov boot` and `prov events` print, with the daemon down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.cli.main import main
from provisioner.config.paths import Paths
from provisioner.events.store import EventStore
from provisioner.model.event import Event, Level, Stage
from tests.support.boots import write_boot
from tests.support.site import SITE

STRANGER = "02:00:00:00:00:01"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Boots `b001` of n001 and the slower `b002` of n002, and a machine that is no node."""
    paths = Paths.below(tmp_path / "site")
    for name, text in {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {'n[001-002]': }\n"}.items():
        (paths.site / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.site / name).write_text(text)
    store = EventStore(paths.events)
    write_boot(store, 1, opened=1000.0)
    write_boot(store, 2, opened=1000.0, slower={"root.sent": 20.0})
    store.record(Event(5000.0, Stage.DHCP, "dhcp.nak", "bad\x1b[2J", Level.WARNING, mac=STRANGER))
    store.close()
    return paths


def printed(paths: Paths, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["--root", str(paths.site), *words])
    assert not caught.value.code
    return capsys.readouterr().out


def test_a_boot_is_shown_by_its_id_as_by_its_node(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    by_id = printed(paths, capsys, "boot", "show", "b002")

    assert by_id.splitlines()[0].startswith("n002: debian-12@1 at revision ")
    assert by_id == printed(paths, capsys, "boot", "show", "n002")


def test_the_list_names_nodes_where_it_is_of_several(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    everybody = printed(paths, capsys, "boot", "list").splitlines()
    alone = printed(paths, capsys, "boot", "list", "n001").splitlines()

    assert everybody[0].split()[:2] == ["BOOT", "NODE"]
    assert {line.split()[1] for line in everybody[1:]} == {"n001", "n002"}
    assert alone[0].split()[:2] == ["BOOT", "OPENED"]
    assert len(alone) == 2


def test_a_moment_is_a_date_or_how_long_ago(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    listed = "boot", "list", "--format", "json", "--since"

    assert json.loads(printed(paths, capsys, *listed, "2h")) == []
    assert len(json.loads(printed(paths, capsys, *listed, "1970-01-01T00:16:00+00:00"))) == 2
    with pytest.raises(SystemExit) as caught:
        main(["--root", str(paths.site), *listed, "yesterday"])
    assert caught.value.code == 2
    assert "neither a length of time" in capsys.readouterr().err


def test_percentiles_are_seconds_with_two_digits_for_people(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [line.split() for line in printed(paths, capsys, "boot", "stats").splitlines()]

    assert rows[0] == ["GROUP", "STAGE", "BOOTS", "P50", "P90", "P99", "LONGEST", "BYTES", "SLOWEST"]
    image = next(row for row in rows if row[1] == "image")
    assert image == ["debian-12", "image", "2", "4.00", "24.00", "24.00", "24.00", "76000", "b002"]
    exact = json.loads(printed(paths, capsys, "boot", "stats", "n001", "--by", "all", "--format", "json"))
    assert exact[-1]["stage"] == "total"
    assert exact[-1]["p50"] == pytest.approx(47.0)


def test_a_comparison_ends_with_its_verdict(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(paths, capsys, "boot", "compare", "n001", "n002").splitlines()

    assert lines[0].startswith("A: n001, boot b001")
    assert next(line for line in lines if line.startswith("image")).split()[1:7] == [
        *("4000", "ms", "24000", "ms", "+20000", "ms")
    ]
    assert lines[-1].startswith("the largest difference is in image: n002 (b002) took 24000 ms there")


def test_events_of_a_machine_that_is_no_node_are_shown_and_move_no_cursor(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(paths, capsys, "events", "--mac", "02-00-00-00-00-01")

    assert shown.splitlines()[1].split(maxsplit=4) == [
        "1970-01-01T01:23:20Z",
        "warning",
        STRANGER,
        "dhcp.nak",
        r"bad\x1b[2J",
    ]


def test_events_are_narrowed_by_node_stage_level_and_boot(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    def names(*words: str) -> list[str]:
        return [each["name"] for each in json.loads(printed(paths, capsys, "events", *words, "--format", "json"))]

    assert names("n001", "--name", "dhcp") == ["dhcp.discover", "dhcp.ack"]
    assert names("--level", "warning") == ["dhcp.nak"]
    assert names("--boot", "b002", "--name", "ready") == ["ready"]
    assert names("--limit", "1") == ["dhcp.nak"]
