"""What to look for among events and boots, as values, and the SQL that finds it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from provisioner.model.event import Level

STATES = ("script", "stage1", "rescue", "system", "ready", "degraded", "failed", "superseded", "local")
"""Every state that a boot can be in."""

UNDER_WAY = frozenset({"script", "stage1", "system"})
"""The states of a boot that is not over."""

Query = tuple[str, Mapping[str, object]]

# A list as the parameter of a query: None does not narrow anything.
_IN = "{column} in (select value from json_each(:{name}))"


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFilter:
    """Which events: every field that is set narrows it.

    `name` is a shell pattern (`dhcp.*`), a stage alone (`dhcp`) means all of that stage. `since` is Unix seconds,
    `after` the id of an event: those that were written later. The newest `limit` are found.
    """

    nodes: Collection[str] | None = None
    mac: str | None = None
    boot: str | None = None
    name: str | None = None
    levels: Collection[Level] | None = None
    since: float | None = None
    after: int | None = None
    limit: int = 100

    def query(self) -> Query:
        """Rows of `event`, oldest first."""
        conditions = {
            "nodes": self.nodes is not None and _IN.format(column="node", name="nodes"),
            "levels": self.levels is not None and _IN.format(column="level", name="levels"),
            "mac": self.mac is not None and "mac = :mac",
            "boot": self.boot is not None and "boot = :boot",
            "name": self.name is not None and "name glob :name",
            "since": self.since is not None and "time >= :since",
            "after": self.after is not None and "id > :after",
        }
        where = " and ".join(each for each in conditions.values() if each) or "true"
        newest = f"select * from event where {where} order by id desc limit :limit"  # noqa: S608 - our own words
        return f"select * from ({newest}) order by id", self._values()  # noqa: S608 - our own words

    def _values(self) -> dict[str, object]:
        return {
            "nodes": _list(self.nodes),
            "levels": _list(None if self.levels is None else [each.value for each in self.levels]),
            "mac": self.mac,
            "boot": self.boot,
            "name": _pattern(self.name),
            "since": self.since,
            "after": self.after,
            "limit": self.limit,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class BootFilter:
    """Which boots: every field that is set narrows it. `since` is Unix seconds; the newest `limit` are found."""

    nodes: Collection[str] | None = None
    states: Collection[str] | None = None
    since: float | None = None
    limit: int = 20

    def query(self) -> Query:
        """Rows of `boot`, newest first."""
        conditions = (
            self.nodes is not None and _IN.format(column="node", name="nodes"),
            self.states is not None and _IN.format(column="state", name="states"),
            self.since is not None and "opened >= :since",
        )
        where = " and ".join(each for each in conditions if each) or "true"
        text = f"select * from boot where {where} order by opened desc, rowid desc limit :limit"  # noqa: S608 - ours
        values = {"nodes": _list(self.nodes), "states": _list(self.states), "since": self.since}
        return text, {**values, "limit": self.limit}


def _list(values: Collection[str] | None) -> str | None:
    return None if values is None else json.dumps(sorted(values))


def _pattern(name: str | None) -> str | None:
    if name is None or "." in name or "*" in name:
        return name
    # Three events have the name of their stage alone: failed, ready, degraded.
    return name if name in {"failed", "ready", "degraded"} else f"{name}.*"
