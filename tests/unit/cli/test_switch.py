"""`prov switch`: what is printed, how it ends, and what programs get."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.config.switchfile import switch_text
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.events.store import EventStore
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.switch import Switch, SwitchState
from provisioner.operations.switches import find
from provisioner.registry.view import SiteView
from tests.support.bootable import bootable
from tests.support.imagestore import booted
from tests.support.resolved import MAC1, REVISION
from tests.support.surveyed import surveyed

REBOOT = "ssh {node} reboot"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = bootable(tmp_path)
    surveyed(paths, "rocky")
    return paths


def run(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(prov, ["--root", str(paths.site), "switch", *words])


def lines(paths: Paths, *words: str) -> list[str]:
    done = run(paths, *words)
    assert done.exit_code == 0, done
    return done.stdout.splitlines()


def started(paths: Paths, *words: str) -> list[str]:
    return lines(paths, "start", "@compute", "--to", "rocky", "--name", "s", "--no-wait", "--yes", *words)


def written(paths: Paths, **fields: Any) -> None:
    """A switch in any state."""
    given = {"to": "rocky@1", "nodes": "n[1-3]", "from": {"demo@1": "n[1-3]"}, "images": {"rocky@1": "n[1-3]"}}
    paths.switch_files.mkdir(exist_ok=True)
    (paths.switch_files / "s.yaml").write_text(switch_text("s", Switch.model_validate({**given, **fields})))


def state(paths: Paths) -> SwitchState:
    return find(SiteView.of(paths), "s").state


def test_a_start_shows_what_the_canary_gets_and_how_to_undo_it(paths: Paths) -> None:
    printed = started(paths)

    assert printed == [
        "change n1 (1 node)",
        "  image  demo -> rocky@1",
        "wrote switches.d/s.yaml",
        "undo with: prov undo 1",
    ]
    assert state(paths) is SwitchState.RUNNING


def test_the_report_comes_before_the_change_where_both_images_have_an_inventory(paths: Paths) -> None:
    surveyed(paths, "demo", {"etc/motd": "old"})

    printed = started(paths)

    assert printed[0] == "demo@2 -> rocky@1"
    assert printed.index(
        "time: 2 rounds; how long one takes is not known: none of these nodes was seen to boot"
    ) < (printed.index("change n1 (1 node)"))


def test_an_image_without_an_inventory_can_be_switched_to_all_the_same(paths: Paths) -> None:
    done = run(paths, "start", "@compute", "--to", "rocky", "--no-wait", "--yes")

    assert done.exit_code == 0
    assert "no report: demo@1 has no inventory" in done.stderr


def test_a_plan_shows_where_all_nodes_go_writes_nothing_and_says_so_by_its_status(paths: Paths) -> None:
    done = run(paths, "start", "@compute", "--to", "rocky", "--plan")

    assert done.exit_code == 2
    assert "change n[1-3] (3 nodes)\n  image  demo -> rocky@1\n" in done.stdout
    assert not paths.switch_files.exists()


@pytest.mark.parametrize("style", ["json", "yaml"])
def test_a_plan_for_programs_is_data_and_nothing_else(paths: Paths, style: str) -> None:
    done = run(paths, "start", "@compute", "--to", "rocky", "--plan", "--format", style)

    assert done.exit_code == 2
    assert yaml.safe_load(done.stdout)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "fedora"), "there is no image fedora"),
        (("--to", "demo"), "@compute boots demo@1 already: there is nothing to switch"),
        (("--to", "rocky", "--reboot-command", "reboot"), r"reboot: the command does not say \{node\}"),
        (("--to", "rocky", "--where", "image=other"), "no node"),
    ],
)
def test_what_cannot_be_started_is_refused_before_anybody_is_asked(
    paths: Paths, words: tuple[str, ...], message: str
) -> None:
    done = run(paths, "start", "@compute", *words)

    assert isinstance(done.exception, ProvisionerError)
    assert done.exit_code == 1
    with pytest.raises(ProvisionerError, match=message):
        raise done.exception


def test_without_a_terminal_nobody_is_asked_and_nothing_written(paths: Paths) -> None:
    done = run(paths, "start", "@compute", "--to", "rocky")

    assert getattr(done.exception, "hint", None) == "say yes beforehand: --yes"
    assert not paths.switch_files.exists()


def test_switches_are_listed_with_how_far_they_are(paths: Paths) -> None:
    started(paths)
    written(paths, done="n1", images={"rocky@1": "n[1-2]"}, failed={"n2": "degraded"}, state="stopped")

    assert [line.split() for line in lines(paths, "list")] == [
        ["NAME", "STATE", "NODES", "FROM", "TO", "MOVED", "DONE", "FAILED"],
        ["s", "stopped", "n[1-3]", "demo@1", "rocky@1", "2", "1", "n2"],
    ]
    (record,) = json.loads("\n".join(lines(paths, "list", "--format", "json")))
    assert (record["name"], record["state"], record["from"], record["count"]) == ("s", "stopped", ["demo@1"], 3)


def test_a_switch_is_shown_with_every_node_and_why_it_failed(paths: Paths) -> None:
    written(paths, done="n1", images={"rocky@1": "n[1-2]"}, failed={"n2": "degraded: x.service"}, asked="@compute")

    shown = lines(paths, "show", "s")

    assert ["asked", "@compute"] in [line.split() for line in shown]
    assert [line.split(maxsplit=2) for line in shown[-4:]] == [
        ["NODE", "FROM", "STATE"],
        ["n1", "demo@1", "done"],
        ["n2", "demo@1", "failed: degraded: x.service"],
        ["n3", "demo@1", "waits"],
    ]


def test_a_switch_for_programs_has_its_pace_and_its_steps(paths: Paths) -> None:
    started(paths, "--batch", "7", "--reboot-command", REBOOT)

    record = yaml.safe_load("\n".join(lines(paths, "show", "s", "--format", "yaml")))

    assert (record["pace"]["batch"], record["pace"]["reboot"]) == (7, REBOOT)
    assert record["steps"][0] == {"node": "n1", "from": "demo@1", "state": "moved, not ready yet"}


def test_a_switch_that_is_not_there_is_told_with_those_that_are(paths: Paths) -> None:
    started(paths)

    done = run(paths, "show", "t")

    assert isinstance(done.exception, NotFoundError)
    assert getattr(done.exception, "hint", None) == "prov switch list; switches: s"


def test_a_report_is_for_people_and_for_programs(paths: Paths) -> None:
    surveyed(paths, "demo", {"etc/motd": "old"})
    words = ("report", "@compute", "--to", "rocky")

    assert lines(paths, *words)[0] == "demo@2 -> rocky@1"
    (record,) = json.loads("\n".join(lines(paths, *words, "--format", "json")))
    assert (record["from"], record["to"]) == ("demo@2", "rocky@1")


def test_a_switch_whose_nodes_all_run_the_image_ends_well(paths: Paths) -> None:
    started(paths, "--canary", "3")
    booted(paths, {f"n{number}": "rocky@1" for number in (1, 2, 3)}, age=-5)

    done = run(paths, "resume", "s", "--yes")

    assert done.exit_code == 0, done
    assert done.stdout.splitlines()[-1] == "all 3 nodes run rocky@1; prov switch finish s makes it last"
    assert "n2 runs rocky@1 and is ready" in done.stderr
    assert state(paths) is SwitchState.MOVED


def test_programs_get_data_and_the_story_goes_to_standard_error(paths: Paths) -> None:
    booted(paths, {f"n{number}": "rocky@1" for number in (1, 2, 3)}, age=-5)
    words = ("start", "@compute", "--to", "rocky", "--canary", "3", "--yes", "--format", "json")

    done = run(paths, *words)

    assert json.loads(done.stdout)["files"] == ["switches.d/compute-to-rocky.yaml"]
    assert "all 3 nodes run rocky@1" in done.stderr


def test_a_switch_that_stops_ends_with_status_1_and_says_what_to_type(paths: Paths) -> None:
    events = EventStore(paths.events)
    moment = time.time() + 5
    events.save_boot(
        BootRecord("b", "n1", MAC1, "rocky@1", REVISION, moment, TokenStage.SYSTEM, "degraded", moment)
    )
    events.close()

    done = run(paths, "start", "@compute", "--to", "rocky", "--name", "s", "--yes")

    assert done.exit_code == 1
    assert isinstance(done.exception, ProvisionerError)
    assert str(done.exception) == "the switch s stopped: 1 of 1 nodes failed"
    assert done.exception.hint == "prov switch show s, then prov switch resume s or prov switch undo s"
    assert "n1 failed: degraded" in done.stderr


def test_undo_says_who_has_to_be_restarted(paths: Paths) -> None:
    started(paths, "--canary", "2")

    printed = lines(paths, "undo", "s", "--yes")

    assert "  image  rocky@1 -> demo" in printed
    assert printed[-1] == "restart n1, n2 to bring the former image back"
    assert state(paths) is SwitchState.UNDONE


def test_undo_for_programs_prints_data_only(paths: Paths) -> None:
    started(paths)

    done = run(paths, "undo", "s", "--yes", "--format", "json")

    assert json.loads(done.stdout)["files"] == ["switches.d/s.yaml"]
    assert "restart n1" in done.stderr


def test_the_plan_of_an_undo_writes_nothing(paths: Paths) -> None:
    started(paths)

    done = run(paths, "undo", "s", "--plan")

    assert done.exit_code == 2
    assert state(paths) is SwitchState.RUNNING


def test_a_pause_and_a_resume_are_told(paths: Paths) -> None:
    started(paths)

    assert "wrote switches.d/s.yaml" in lines(paths, "pause", "s", "--yes")
    assert isinstance(run(paths, "pause", "s", "--yes").exception, ConflictError)
    lines(paths, "resume", "s", "--no-wait", "--yes")
    assert state(paths) is SwitchState.RUNNING


def test_finish_writes_the_group_and_says_so(paths: Paths) -> None:
    written(paths, done="n[1-3]", state="moved", asked="@compute", target="rocky")

    printed = lines(paths, "finish", "s", "--yes")

    assert "change group compute" in printed
    assert "wrote groups.d/g.yaml" in printed
    assert state(paths) is SwitchState.FINISHED


def test_finish_asks_for_the_group_where_several_have_just_these_nodes(paths: Paths) -> None:
    written(paths, done="n[1-3]", state="moved", asked="n[1-3]")

    done = run(paths, "finish", "s", "--yes")

    assert str(done.exception) == "these groups have just the nodes n[1-3]: base, compute"
    assert "--group GROUP" in str(getattr(done.exception, "hint", ""))


def test_finish_refuses_while_a_node_does_not_run_the_image(paths: Paths) -> None:
    written(paths, done="n1", images={"rocky@1": "n1"})

    done = run(paths, "finish", "s", "--yes")

    assert isinstance(done.exception, ConflictError)
    assert "n[2-3] of the switch s does not run rocky@1 yet" in str(done.exception)


def test_a_switch_that_is_over_is_forgotten(paths: Paths) -> None:
    written(paths, state="undone", images={})

    assert "wrote switches.d/s.yaml" in "\n".join(lines(paths, "delete", "s", "--yes"))
    assert lines(paths, "list") == ["NAME  STATE  NODES  FROM  TO  MOVED  DONE  FAILED"]
