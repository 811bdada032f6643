"""Evidence for the checks of `prov doctor`: what the daemon recorded goes through its real events file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.events.store import EventStore
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Level, Stage
from provisioner.model.snapshot import Snapshot
from provisioner.operations.doctor.evidence import Evidence, recorded
from provisioner.operations.doctor.examination import diagnose
from provisioner.operations.doctor.finding import Finding
from provisioner.operations.doctor.hostfacts import Device, HostFacts, Listener
from tests.support import resolved

NOW = 1_800_000_000.0
PID = 77
HEAD = IPv4Address("10.0.0.1")
DAEMON = {"version": "1", "pid": PID, "problems": []}
PORTS = (("udp", 67), ("udp", 69), ("udp", 53), ("tcp", 8080))
HEALTHY = HostFacts(
    addresses={HEAD: "prov0"},
    devices={"prov0": Device(up=True, mtu=1500)},
    listeners=tuple(Listener(protocol, str(HEAD), port, PID, "prov") for protocol, port in PORTS),
    neighbours=8192,
    synchronised=True,
    loaders=frozenset({"undionly.kpxe", "snponly.efi"}),
)
"""A head node with nothing wrong."""


@dataclass
class Ward:
    """A site whose n001 and n002 have agents, and what was seen of it. Nothing is wrong until a test says so."""

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    boots: list[BootRecord] = field(default_factory=list)
    reports: list[tuple[str, str, float, dict[str, str]]] = field(default_factory=list)

    def saw(
        self, name: str, message: str = "", *, ago: float = 60.0, mac: str | None = resolved.MAC1, **more: Any
    ) -> Ward:
        """The daemon recorded an event so many seconds ago."""
        # dhcp6.reply is of the stage of dhcp.ack.
        word = name.partition(".")[0].removesuffix("6")
        stage = Stage(word) if word in set(Stage) else Stage.SITE
        level = more.pop("level", Level.INFO)
        fields = {key: more.pop(key) for key in ("node", "boot", "address") if key in more}
        event = Event(NOW - ago, stage, name, message or name, level, mac=mac, data=more, **fields)
        self.events.append(event)
        return self

    def booted(self, state: str, *, ago: float = 60.0, reason: str = "", node: str = "n001") -> Ward:
        """A boot got into a state so many seconds ago."""
        stage = {"script": TokenStage.SCRIPT, "stage1": TokenStage.STAGE1, "failed": TokenStage.STAGE1}
        opened = NOW - ago - 5
        self.boots.append(
            BootRecord(
                id=f"b{len(self.boots)}",
                node=node,
                mac=resolved.MAC1,
                generation="debian-12@1",
                revision=resolved.REVISION,
                opened=opened,
                stage=stage.get(state, TokenStage.SYSTEM),
                state=state,
                changed=NOW - ago,
                reason=reason,
            )
        )
        return self

    def reported(self, *, ago: float = 60.0, **facts: str) -> Ward:
        """n001 told facts in its newest boot."""
        self.reports.append(("n001", self.boots[-1].id, NOW - ago, facts))
        return self

    def evidence(self) -> Evidence:
        """What the checks get: the events, boots and reports read back from the disk."""
        paths = Paths.below(self.folder)
        store = EventStore(paths.events)
        for event in self.events:
            store.record(event)
        for boot in self.boots:
            store.save_boot(boot)
        for report in self.reports:
            store.save_report(*report)
        store.close()
        facts = {
            "snapshot": nodes(),
            "catalogue": resolved.catalogue(),
            "host": HEALTHY,
            "daemon": DAEMON,
            **self.facts,
        }
        return Evidence(now=NOW, paths=paths, **recorded(paths, NOW, []), **facts)

    def findings(self, names: Iterable[str] | None = None) -> dict[str, Finding]:
        """What the doctor finds, by the name of the check."""
        found = diagnose(self.evidence(), None if names is None else list(names))
        return {each.check: each for each in found}


def nodes(**changes: Any) -> Snapshot:
    """n001 and n002, with agents; `changes` are fields of n001."""
    first = resolved.node(system_overlays=("agent",), **changes)
    second = resolved.node("n002", mac=resolved.MAC2, host=2, system_overlays=("agent",))
    return resolved.snapshot(first, second)
