"""DHCP messages and their answers as events, and how often the same one is worth telling."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from provisioner.dhcp.message import Message
from provisioner.dhcp.policy import Answer
from provisioner.model.event import Event, Level, Stage

QUIET_SECONDS = 60
"""An event that only repeats another is told again after this long."""

# Each forged address makes a new key; the oldest are forgotten beyond this many.
_MEMORY = 4096


class Throttle:
    """Lets one event of a kind through in so many seconds. Bounded: it forgets the oldest kinds first."""

    def __init__(self, seconds: float = QUIET_SECONDS) -> None:
        self._seconds = seconds
        self._told: dict[Hashable, float] = {}

    def allows(self, key: Hashable, now: float) -> bool:
        """Whether the event should be told now; if so, it counts as told."""
        told = self._told.get(key)
        if told is not None and 0 <= now - told < self._seconds:
            return False
        self._told.pop(key, None)
        self._told[key] = now
        if len(self._told) > _MEMORY:
            del self._told[next(iter(self._told))]
        return True


def events_of(message: Message, answer: Answer, now: float) -> Iterator[Event]:
    """What was asked, when it has a reply, and what came of it. `now` is Unix seconds."""
    if answer.reply is not None and message.kind is not None and answer.client is not None:
        asked = message.kind.name.lower()
        yield _event(asked, f"{asked.upper()} from {answer.client.program.value}", answer, now=now)
    yield _event(answer.name, answer.reason, answer, now=now, level=answer.level)


def malformed(source: str, reason: str, now: float) -> Event:
    """The event of a datagram from `source` that is not DHCP."""
    return Event(now, Stage.DHCP, "dhcp.malformed", reason, Level.WARNING, data={"source": source})


def _event(name: str, message: str, answer: Answer, *, now: float, level: Level = Level.INFO) -> Event:
    client = answer.client
    data: dict[str, object] = {}
    if client:
        data = {"firmware": client.machine.firmware.value, "program": client.program.name.lower()}
        if client.machine.uuid:
            data["uuid"] = client.machine.uuid
    return Event(
        time=now,
        stage=Stage.DHCP,
        name=f"dhcp.{name}",
        message=message,
        level=level,
        mac=client.machine.mac if client else None,
        node=answer.node,
        address=str(answer.address) if answer.address else None,
        data=data,
    )
