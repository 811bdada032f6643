"""The status of a node: what it runs, next to what it would boot now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.errors import ConfigError
from provisioner.events.history import Report
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.operations.status import NodeStatus, Now, node_status, site_status
from tests.support import resolved
from tests.support.site import SITE, write_site

BOOT = BootRecord(
    "b1", "n001", resolved.MAC1, "debian-12@1", resolved.REVISION, 50.0, TokenStage.SYSTEM, "ready", 90.0
)
REPORT = Report("n001", "b1", 95.0, {"kernel": "6.1.0"})


def status(
    boot: BootRecord | None = BOOT,
    report: Report | None = REPORT,
    *,
    revision: str = resolved.REVISION,
    generation: int = 1,
) -> NodeStatus:
    return node_status(resolved.node(), Now(revision, resolved.catalogue(1, generation)), boot, report)


def test_a_node_that_runs_what_it_is_assigned_is_not_outdated() -> None:
    shown = status()

    assert (shown.state, shown.running, shown.assigned, shown.outdated) == (
        "ready",
        "debian-12@1",
        "debian-12@1",
        "",
    )
    assert shown.facts == {"kernel": "6.1.0"}


def test_a_node_that_never_booted_says_so_and_what_it_would_boot() -> None:
    shown = status(None, None)

    assert (shown.state, shown.running, shown.assigned, shown.outdated) == (
        "never booted",
        None,
        "debian-12@1",
        "",
    )


def test_a_newer_generation_and_a_newer_revision_are_what_a_reboot_would_bring() -> None:
    assert status(generation=2).outdated == "image debian-12@2"
    assert status(revision="cd" * 32).outdated == "revision cdcdcdcdcdcdcdcd"
    assert status(generation=2, revision="cd" * 32).outdated == "image debian-12@2 and revision cdcdcdcdcdcdcdcd"


def test_a_report_of_an_earlier_boot_is_not_shown_as_what_the_node_says_now() -> None:
    assert status(replace(BOOT, id="b2", state="stage1")).facts == {}


def test_a_node_whose_image_does_not_exist_is_assigned_nothing() -> None:
    node = resolved.node(image="rocky-9")

    assert node_status(node, Now(resolved.REVISION, resolved.catalogue()), None, None).assigned is None


def test_a_failure_shows_its_reason() -> None:
    assert status(replace(BOOT, state="failed", reason="no space")).reason == "no space"


def test_before_any_daemon_ran_the_nodes_that_are_written_never_booted(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {'n[1-2]': }\n"})

    shown = site_status(paths)

    assert [(node.node, node.state) for node in shown.nodes] == [("n1", "never booted"), ("n2", "never booted")]
    assert (shown.daemon, shown.daemon_fault, shown.alarms) == (None, "", ())


def test_without_a_site_the_status_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="prov init --cluster"):
        site_status(write_site(tmp_path, {}))
