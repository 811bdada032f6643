"""The metrics of a running daemon, where each number comes from, and who cleans up behind it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from provisioner import __version__
from provisioner.api.metrics import Facts, MetricsPage
from provisioner.api.metricsserver import MetricsServer
from provisioner.boot.ledger import Ledger
from provisioner.config.paths import Paths
from provisioner.daemon.current import Current
from provisioner.daemon.services import Service
from provisioner.daemon.sweeper import Sweeper
from provisioner.daemon.workers import Workers
from provisioner.events.history import History
from provisioner.events.meter import BootMeter
from provisioner.events.search import UNDER_WAY
from provisioner.events.store import EventStore
from provisioner.model.tally import Tally

_NEVER = "never booted"


@dataclass(frozen=True)
class Gauges:
    """What the daemon reads its numbers from. Reading them changes nothing and is safe in any thread."""

    current: Current
    ledger: Ledger
    store: EventStore
    workers: Workers

    def read(self) -> Facts:
        """The numbers now."""
        snapshot = self.current.snapshot
        states = Counter(self._states(frozenset(snapshot.nodes)))
        return Facts(
            version=__version__,
            revision=snapshot.revision,
            served_since=self.current.since,
            mistakes=len(self.current.problems),
            states=states,
            boots_under_way=sum(states[state] for state in UNDER_WAY),
            events_lost=self.store.lost,
            queues={"events": self.store.waiting, **self.workers.waiting()},
        )

    def _states(self, names: frozenset[str]) -> list[str]:
        """The state of every node of the site, by its newest boot."""
        newest = {record.node: record.state for record in sorted(self.ledger.all(), key=lambda each: each.opened)}
        return [newest.get(name, _NEVER) for name in names]


def observers(paths: Paths, gauges: Gauges, tally: Tally) -> list[Service]:
    """What watches the daemon and cleans up behind it; the metrics where the site has set `ports.metrics`."""
    services: list[Service] = [Sweeper(paths, gauges.current, gauges.store, gauges.workers)]
    site = gauges.current.snapshot.site
    if site.ports.metrics:
        page = MetricsPage(gauges.read, tally, BootMeter(History(paths.events)))
        services.append(MetricsServer(page.text, hosts=site.metrics.listen, port=site.ports.metrics))
    return services
