"""Whole boots as the daemon would have written them down, with times of our choice."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.config.paths import Paths
from provisioner.events.store import EventStore
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Stage
from tests.support.resolved import REVISION

STEPS: Mapping[str, tuple[Stage, float, int | None]] = {
    "dhcp.discover": (Stage.DHCP, 0.0, None),
    "dhcp.ack": (Stage.DHCP, 1.0, None),
    "loader.sent": (Stage.LOADER, 0.5, 70_000),
    "script.boot": (Stage.SCRIPT, 2.0, 700),
    "kernel.sent": (Stage.KERNEL, 1.0, 8_000),
    "stage1.sent": (Stage.KERNEL, 1.0, 20_000),
    "stage1.started": (Stage.STAGE1, 6.0, None),
    "root.sent": (Stage.IMAGE, 3.0, 76_000),
    "image.verified": (Stage.IMAGE, 1.0, None),
    "overlay.applied": (Stage.OVERLAY, 1.0, None),
    "handover.done": (Stage.HANDOVER, 0.5, None),
    "ready": (Stage.READY, 30.0, None),
}
"""What happens in a boot: the name of each event, its stage, the seconds since the one before, and bytes."""


def mac_of(number: int) -> str:
    """The MAC of the node with a number."""
    return f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"


def write_boot(
    store: EventStore,
    number: int,
    *,
    opened: float,
    generation: str = "debian-12@1",
    slower: Mapping[str, float] | None = None,
    until: str = "ready",
    boot: str | None = None,
) -> BootRecord:
    """Record one boot of `nNNN` whose first packet came at `opened`; `slower` adds seconds before some events."""
    node, mac = f"n{number:03}", mac_of(number)
    state = "ready" if until == "ready" else "system"
    record = BootRecord(
        boot or f"b{number:03}", node, mac, generation, REVISION, opened, TokenStage.SYSTEM, state, opened
    )
    moment = opened
    for name, (stage, pause, size) in STEPS.items():
        moment += pause + (slower or {}).get(name, 0.0)
        data = {"firmware": "bios"} if stage is Stage.DHCP else {}
        message = "undionly.kpxe sent" if name == "loader.sent" else name
        store.record(
            Event(moment, stage, name, message, mac=mac, node=node, boot=record.id, bytes=size, data=data)
        )
        if name == until:
            break
    store.save_boot(record)
    return record


def write_boots(paths: Paths, count: int, *, opened: float = 1000.0) -> None:
    """Record a boot of each of `n001` and so on; the last one is slowest."""
    store = EventStore(paths.events)
    for number in range(1, count + 1):
        write_boot(store, number, opened=opened, slower={"root.sent": number * 0.1})
    store.close()
