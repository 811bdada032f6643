"""Events: what the daemon saw happen, one record each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """The stages of a boot, in their order."""

    DHCP = "dhcp"
    LOADER = "loader"
    SCRIPT = "script"
    KERNEL = "kernel"
    STAGE1 = "stage1"
    IMAGE = "image"
    OVERLAY = "overlay"
    HANDOVER = "handover"
    SYSTEM = "system"
    READY = "ready"
    SITE = "site"


class Level(StrEnum):
    """How much an event matters: an alarm is something that nobody honest does."""

    INFO = "info"
    WARNING = "warning"
    FAILURE = "failure"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    `time` is Unix seconds; `name` is `stage.what` (`dhcp.ack`, `image.sent`); `bytes` counts what was sent,
    `seconds` how long it took; `data` is JSON-serialisable detail.
    """

    time: float
    stage: Stage
    name: str
    message: str
    level: Level = Level.INFO
    mac: str | None = None
    node: str | None = None
    boot: str | None = None
    address: str | None = None
    bytes: int | None = None
    seconds: float | None = None
    data: Mapping[str, object] = field(default_factory=dict)


EventSink = Callable[[Event], None]
