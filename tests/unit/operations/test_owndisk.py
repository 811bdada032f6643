"""What the commands say of a node that boots its own disk."""

from __future__ import annotations

from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.resolved import ResolvedBoot, ResolvedNode
from provisioner.model.written import BootSource
from provisioner.operations.status import NodeStatus, Now, node_status
from tests.support import resolved


def node(source: BootSource) -> ResolvedNode:
    return resolved.node(boot=ResolvedBoot(source=source))


def record(state: str, generation: str) -> BootRecord:
    return BootRecord(
        "b0", "n001", resolved.MAC1, generation, resolved.REVISION, 1.0, TokenStage.SYSTEM, state, 2.0, "why"
    )


def status(source: BootSource, boot: BootRecord | None) -> NodeStatus:
    return node_status(node(source), Now(resolved.REVISION, resolved.catalogue()), boot, None)


def test_a_node_that_will_boot_its_own_disk_has_that_to_expect() -> None:
    found = status(BootSource.DISK, record("ready", "debian-12@1"))

    assert (found.state, found.running, found.assigned, found.outdated) == (
        "ready",
        "debian-12@1",
        None,
        "its own disk",
    )


def test_a_node_that_booted_its_own_disk_has_nothing_newer_to_expect() -> None:
    found = status(BootSource.DISK, record("local", ""))

    assert (found.state, found.running, found.outdated, found.reason) == ("local", None, "", "why")


def test_a_node_that_goes_back_to_its_image_has_that_to_expect() -> None:
    found = status(BootSource.IMAGE, record("local", ""))

    assert (found.assigned, found.outdated) == ("debian-12@1", "image debian-12@1")


def test_a_node_that_never_booted_is_told_from_one_that_boots_its_disk() -> None:
    assert status(BootSource.DISK, None).state == "never booted"
