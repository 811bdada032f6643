"""What one machine did lately, by its hardware address, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioner.model.event import Event, Stage

_BEFORE_SCRIPT = frozenset({Stage.DHCP, Stage.LOADER, Stage.SCRIPT})


@dataclass(frozen=True, slots=True)
class Trail:
    """The events of one machine before it has a boot: DHCP, loader, script; oldest first. `node` is who it is."""

    mac: str
    node: str | None
    events: tuple[Event, ...]

    def last(self, *names: str) -> Event | None:
        """The newest event with one of some names, any without names."""
        return next((each for each in reversed(self.events) if not names or each.name in names), None)

    def named(self, name: str, *, since: float) -> tuple[Event, ...]:
        """The events of one name from a time on."""
        return tuple(each for each in self.events if each.name == name and each.time >= since)

    def after(self, event: Event) -> tuple[Event, ...]:
        """The events that came later than another one."""
        return self.events[self.events.index(event) + 1 :]

    @property
    def uuid(self) -> str | None:
        """The UUID that its firmware showed last."""
        found = (each.data.get("uuid") for each in reversed(self.events))
        return next((str(each).lower() for each in found if each), None)

    @property
    def firmware(self) -> str | None:
        """The firmware that it showed last, in the words of `model.boot.Firmware`."""
        found = (each.data.get("firmware") for each in reversed(self.events))
        return next((str(each) for each in found if each and each != "unknown"), None)


def trails(events: Iterable[Event], node_of: Mapping[str, str]) -> dict[str, Trail]:
    """The trails of all machines that events speak of, by hardware address; `node_of` names the nodes."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.mac and event.stage in _BEFORE_SCRIPT:
            found.setdefault(event.mac, []).append(event)
    return {mac: Trail(mac, node_of.get(mac), tuple(each)) for mac, each in found.items()}


def program_of(event: Event) -> str:
    """What asked by DHCP: pxe, http, ipxe or system (`dhcp.client.Program`)."""
    return str(event.data.get("program", ""))
