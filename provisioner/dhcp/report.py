"""DHCP messages and their answers as events, and how often the same one is worth telling."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from ipaddress import IPv4Address

from provisioner.boot.attempts import TRIES
from provisioner.dhcp.answer import Answer
from provisioner.dhcp.client import Client, Program
from provisioner.dhcp.message import NO_ADDRESS, Kind, Message, Option
from provisioner.model.boot import Firmware
from provisioner.model.event import Event, Level, Stage
from provisioner.model.machine import printable_option

QUIET_SECONDS = 60
"""An event that only repeats another is told again after this long."""

# Each forged address makes a new key; the oldest are forgotten beyond this many.
_MEMORY = 4096
_RELAY_PARTS = {1: "circuit", 2: "remote"}


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
    client = answer.client
    mac, shown = (client.machine.mac, _shown(client)) if client else (None, {})
    if message.giaddr != NO_ADDRESS:
        shown = {**shown, **_relayed(message)}
    address = str(answer.address) if answer.address else None
    kind = message.kind if answer.reply is not None else None
    if kind is not None and client is not None:
        asked, words = _ASKED[kind, client.program]
        yield Event(now, Stage.DHCP, asked, words, Level.INFO, mac, answer.node, None, address, None, None, shown)
    name = answer.name
    told = f"dhcp.{name}"
    yield Event(
        now, Stage.DHCP, told, answer.reason, answer.level, mac, answer.node, None, address, None, None, shown
    )


def _relayed(message: Message) -> dict[str, object]:
    """The relay, and the port that it names: sub-options 1 and 2 of option 82 (RFC 3046 section 2.0)."""
    value, at = message.options.get(Option.RELAY, b""), 0
    found: dict[str, object] = {"relay": str(message.giaddr)}
    while at + 2 <= len(value):
        name = _RELAY_PARTS.get(value[at])
        if name:
            found[name] = printable_option(value[at + 2 : at + 2 + value[at + 1]])
        at += 2 + value[at + 1]
    return found


def told_again(event: Event, now: float) -> Event:
    """The same event at another time."""
    # Not by dataclasses.replace, which takes twice as long: this is done for every message of a machine.
    return Event(
        now,
        event.stage,
        event.name,
        event.message,
        event.level,
        event.mac,
        event.node,
        event.boot,
        event.address,
        event.bytes,
        event.seconds,
        event.data,
    )


def malformed(source: str, reason: str, now: float) -> Event:
    """The event of a datagram from `source` that is not DHCP."""
    return Event(now, Stage.DHCP, "dhcp.malformed", reason, Level.WARNING, data={"source": source})


def stuck(mac: str, node: str | None, now: float) -> Event:
    """The event of firmware that asks again and again for a loader, because none of them came to its script."""
    text = (
        f"a loader was given {TRIES} times, and the machine never asked for its script: the loader does not run"
        " there, or Secure Boot refuses it"
    )
    return Event(now, Stage.LOADER, "loader.stuck", text, Level.WARNING, mac, node)


def unsent(reason: str, now: float) -> Event:
    """The event of a reply that the network did not take."""
    return Event(now, Stage.DHCP, "dhcp.unsent", reason, Level.FAILURE)


def foreign(message: Message, server: IPv4Address, hardware: str, now: float) -> Event:
    """The alarm about a server that is not ours, by one of its messages; `hardware` is where that came from."""
    kind = message.kind.name if message.kind else "message"
    offered = str(message.yiaddr)
    machine = message.chaddr.hex(":") if message.chaddr else "a machine"
    text = f"another DHCP server, {server} ({hardware}), answers {machine}: {kind}"
    if message.yiaddr != NO_ADDRESS:
        text += f" of {offered}"
    if message.file:
        text += f", boot file {printable_option(message.file)}"
    data = {"server": str(server), "hardware": hardware, "offered": offered, "machine": machine}
    return Event(now, Stage.DHCP, "dhcp.foreign", text, Level.ALARM, address=str(server), data=data)


def unwatched(interface: str, reason: str, now: float) -> Event:
    """The event of an interface on which nobody can look for other servers."""
    text = f"other DHCP servers on {interface} are not noticed: {reason} (the daemon needs CAP_NET_RAW)"
    return Event(now, Stage.DHCP, "dhcp.unwatched", text, Level.WARNING)


def _shown(client: Client) -> dict[str, object]:
    """What a machine showed of itself."""
    firmware, program = _SHOWN[client.machine.firmware, client.program]
    if client.machine.uuid:
        return {"firmware": firmware, "program": program, "uuid": client.machine.uuid}
    return {"firmware": firmware, "program": program}


# The words for what comes with every message are made once.
_ASKED = {
    (kind, program): (f"dhcp.{kind.name.lower()}", f"{kind.name} from {program.value}")
    for kind in Kind
    for program in Program
}
_SHOWN = {
    (firmware, program): (firmware.value, program.name.lower()) for firmware in Firmware for program in Program
}
