"""How sure it is that the machine of a boot was the node: told from what it showed while it booted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Level
from provisioner.model.identity import Identity, Rung
from provisioner.model.resolved import ResolvedNode

_MARKS = ("uuid", "serial", "asset")
_PORT = "port"


def identity(node: ResolvedNode | None, boot: BootRecord, events: Iterable[Event]) -> Identity:
    """The identity of one boot, from its events; `node` is what is written of it now, None when it is gone.

    The hardware counts when at least one of UUID, serial number and asset tag is written and was shown, and none
    differs. The port does when a relay told the same one (option 82) as in the node's tag `port`.
    """
    told = list(events)
    shown, written = _shown(told), _written(node) if node else {}
    both = [name for name in (*_MARKS, _PORT) if name in shown and name in written]
    wrong = [name for name in both if shown[name] != written[name]]
    doubts = [f"{name} {shown[name]}, where {written[name]} is written" for name in wrong]
    alarms = {event.message for event in told if event.level is Level.ALARM}
    held = {
        Rung.MAC: True,
        Rung.HARDWARE: bool(set(both) & set(_MARKS)) and not set(wrong) & set(_MARKS),
        Rung.PORT: _PORT in both and _PORT not in wrong,
        Rung.TOKEN: boot.stage is not TokenStage.SCRIPT,
    }
    return Identity(tuple(rung for rung, is_held in held.items() if is_held), (*doubts, *sorted(alarms)))


def _shown(events: Iterable[Event]) -> dict[str, str]:
    """What the machine showed, the last word counts; a UUID in lower case."""
    found: dict[str, str] = {}
    for event in events:
        found.update({name: str(event.data[name]).lower() for name in _MARKS if event.data.get(name)})
        if circuit := event.data.get("circuit"):
            relay = event.data.get("relay")
            found[_PORT] = (f"{relay} {circuit}" if relay else str(circuit)).lower()
    return found


def _written(node: ResolvedNode) -> Mapping[str, str]:
    found = {"uuid": node.uuid, "serial": node.serial, "asset": node.asset, _PORT: node.tags.get(_PORT)}
    return {name: str(value).lower() for name, value in found.items() if value is not None}
