"""What `prov status --watch` shows, on a terminal and into a pipe."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from provisioner.cli import watching
from provisioner.cli.main import main
from provisioner.config.paths import Paths
from provisioner.events.store import EventStore
from provisioner.operations.status import Wanted
from provisioner.operations.watching import Look, looks
from tests.support.boots import write_boot
from tests.support.site import SITE


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """n001 is ready, n002 hands over, the others never booted."""
    paths = Paths.below(tmp_path / "site")
    text = "groups: {blue: }\n"
    files = {"provisioner.yaml": SITE, "groups.d/g.yaml": text, "nodes.d/n.yaml": "nodes: {'n[001-009]': }\n"}
    for name, content in files.items():
        (paths.site / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.site / name).write_text(content)
    (paths.node_files / "o.yaml").write_text("nodes: {'n[001-002]': {groups: [blue]}}\n")
    store = EventStore(paths.events)
    write_boot(store, 1, opened=1000.0)
    write_boot(store, 2, opened=1000.0, until="handover.done")
    store.close()
    return paths


def screen(paths: Paths, height: int) -> list[str]:
    (look,) = looks(paths, Wanted(), 1.0, most=1)
    console = Console(file=io.StringIO(), width=160, height=height)
    with console.capture() as captured:
        console.print(watching.screen(look, height))
    return captured.get().splitlines()


def test_what_needs_somebody_stands_at_the_top_and_the_rest_is_counted(paths: Paths) -> None:
    shown = screen(paths, 10)

    assert "9 nodes: 7 never booted, 1 ready, 1 system" in shown[0]
    assert shown[3].split()[:2] == ["n002", "system"]
    assert "handover.done" in shown[3]
    assert shown[-1] == "... and 4 more"
    assert len(shown) <= 10


def test_into_a_pipe_every_change_is_a_line(
    paths: Paths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "looks", twice)

    with pytest.raises(SystemExit):
        main(["--root", str(paths.site), "status", "--watch", "--group", "blue"])

    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "n001 ready debian-12@1",
        "n002 system debian-12@1 (handover.done)",
        "2 nodes: 1 ready, 1 system",
    ]


def test_programs_get_a_line_of_json_for_every_look(
    paths: Paths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "looks", twice)

    with pytest.raises(SystemExit):
        main(["--root", str(paths.site), "status", "--watch", "--state", "ready", "--format", "json"])

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["states"] for each in told] == [{"ready": 1}, {"ready": 1}]


def twice(paths: Paths, wanted: Wanted, _interval: float) -> Iterator[Look]:
    return looks(paths, wanted, 0.0, most=2)
