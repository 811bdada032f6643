"""Whether a running node has the runtime overlays that it should have, without rendering any."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.events.history import Report
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.operations.drift import Looked, OverlayState, overlay_state
from provisioner.overlay.rendered import pack
from tests.support import resolved

BOOT = BootRecord(
    "b1", "n001", resolved.MAC1, "debian-12@1", resolved.REVISION, 50.0, TokenStage.SYSTEM, "ready", 90.0
)
NODE = resolved.node(runtime_overlays=("hosts",))
SERVED = 100.0
LOOKED = 103.0


def state(
    facts: dict[str, str], looked: Looked | None, *, boot: BootRecord | None = BOOT
) -> tuple[OverlayState, float | None]:
    return overlay_state(NODE, boot, Report("n001", "b1", 95.0, facts), looked)


def looked(digest: str = "d1") -> Looked:
    return Looked(SERVED, {"n001": (digest, LOOKED)})


def test_what_the_head_node_would_give_now_is_current() -> None:
    assert state({"runtime_sha256": "d1"}, looked()) == (OverlayState.CURRENT, None)


def test_another_digest_is_pending_since_the_head_node_looked() -> None:
    assert state({"runtime_sha256": "d0"}, looked()) == (OverlayState.PENDING, LOOKED)


def test_a_node_that_has_not_asked_since_an_edit_is_pending_since_the_edit() -> None:
    behind = Looked(SERVED, {}, frozenset({"n001"}))

    assert state({"runtime_sha256": "d1"}, behind) == (OverlayState.PENDING, SERVED)


def test_a_failure_that_the_node_reported_counts_more_than_digests() -> None:
    facts = {"runtime_sha256": "d1", "runtime_failed": "no space"}

    assert state(facts, looked()) == (OverlayState.FAILED, 95.0)
    assert state(facts, None) == (OverlayState.FAILED, 95.0)


@pytest.mark.parametrize("known", [None, Looked(SERVED, {})])
def test_without_a_daemon_or_before_a_node_asked_nothing_is_known(known: Looked | None) -> None:
    assert state({"runtime_sha256": "d1"}, known) == (OverlayState.UNKNOWN, None)


def test_an_archive_without_files_is_what_a_node_without_runtime_overlays_has() -> None:
    assert state({"runtime_sha256": "none"}, looked(pack([]).sha256)) == (OverlayState.CURRENT, None)


@pytest.mark.parametrize("boot", [None, replace(BOOT, state="stage1"), replace(BOOT, state="failed")])
def test_a_node_that_does_not_run_has_no_state(boot: BootRecord | None) -> None:
    assert state({"runtime_sha256": "d1"}, looked(), boot=boot) == (OverlayState.NONE, None)


def test_a_node_that_lost_its_last_runtime_overlay_is_pending_until_it_says_so() -> None:
    node = resolved.node(runtime_overlays=())
    nothing = looked(pack([]).sha256)

    had, has = (Report("n001", "b1", 95.0, {"runtime_sha256": each}) for each in ("d1", "none"))

    assert overlay_state(node, BOOT, had, nothing) == (OverlayState.PENDING, LOOKED)
    assert overlay_state(node, BOOT, has, nothing) == (OverlayState.NONE, None)
