"""The inbox of machines that are no nodes: bounded, in memory, and in a file for commands and the next daemon.

Nothing that a machine sends can make it grow. Machines that ran our script and machines that only asked by DHCP
have room of their own, so that a flood of forged DHCP messages pushes no real machine out; and one address that
speaks for many machines pushes out only its own.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from provisioner.errors import IntegrityError
from provisioner.host.files import write_atomically
from provisioner.model.event import Event, EventSink
from provisioner.model.machine import LONGEST, Shown

MOST = 256
"""How many machines are kept that told of themselves, and as many that only asked by DHCP."""

_MOST_OF_AN_ADDRESS = 8
_MODE = 0o640
_VERSION = 1
_FROM_EVENTS = ("firmware", "uuid", "relay", "circuit", "remote")


class Inbox:
    """Machines by hardware address, the one that was silent the longest first. `changes` counts what changed."""

    def __init__(self, known: Iterable[Shown] = ()) -> None:
        self._told: OrderedDict[str, Shown] = OrderedDict()
        self._heard: OrderedDict[str, Shown] = OrderedDict()
        self.changes = 0
        for each in sorted(known, key=lambda machine: machine.last):
            self._room(told=each.told)[each.mac] = each
        self._trim()

    def watching(self, sink: EventSink) -> EventSink:
        """A sink that looks at events on their way: what machines without a node did is noted here."""

        def record(event: Event) -> None:
            if event.node is None and event.mac is not None:
                known = {key: _text(event.data.get(key)) for key in _FROM_EVENTS}
                self._note(event.mac, event.time, {**known, "address": event.address}, told=False)
            sink(event)

        return record

    def tell(self, mac: str, known: Mapping[str, str], *, address: str | None, now: float) -> None:
        """What a machine's script said of it (`model.machine.said`)."""
        if mac not in self._told:
            self._make_room(address)
        self._note(mac, now, {**known, "address": address}, told=True)

    def machines(self) -> tuple[Shown, ...]:
        """All of them, in the order of their arrival."""
        found = (*self._told.values(), *self._heard.values())
        return tuple(sorted(found, key=lambda machine: (machine.first, machine.mac)))

    def knows(self, mac: str) -> bool:
        """Whether a machine that told of itself waits."""
        return mac in self._told

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Without the machines whose hardware address passes: those that became nodes."""
        for room in (self._told, self._heard):
            for mac in [mac for mac in room if gone(mac)]:
                del room[mac]
                self.changes += 1

    def _note(self, mac: str, now: float, known: Mapping[str, str | None], *, told: bool) -> None:
        before = self._told.pop(mac, None) or self._heard.pop(mac, None) or Shown(mac, now, now, count=0)
        after = before.seen(now, known, told=told)
        self._room(told=after.told)[mac] = after
        self.changes += 1
        self._trim()

    def _room(self, *, told: bool) -> OrderedDict[str, Shown]:
        return self._told if told else self._heard

    def _make_room(self, address: str | None) -> None:
        own = [mac for mac, each in self._told.items() if each.address == address]
        if len(own) >= _MOST_OF_AN_ADDRESS:
            del self._told[own[0]]

    def _trim(self) -> None:
        for room in (self._told, self._heard):
            while len(room) > MOST:
                room.popitem(last=False)


def write_inbox(path: Path, machines: Iterable[Shown]) -> None:
    """Write the file that `read_inbox` reads."""
    data = {"version": _VERSION, "machines": [asdict(each) for each in machines]}
    write_atomically(path, json.dumps(data).encode(), mode=_MODE)


def read_inbox(path: Path) -> tuple[Shown, ...]:
    """The machines in a file, none where there is no file. IntegrityError for a file that is something else."""
    try:
        data = json.loads(path.read_bytes())
        return tuple(Shown(**each) for each in data["machines"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"the file of unknown machines {path} cannot be read: {error}"
        raise IntegrityError(message, hint=f"rm {path}; the daemon begins a new one") from None


def _text(value: object) -> str | None:
    return str(value)[:LONGEST] if value else None
