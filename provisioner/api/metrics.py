"""What Prometheus is told: the services' counts, the state of the site, and how boots went.

Names have the prefix `provisioner_` and base units. No node, MAC or address is a label: of these there are as many
as machines, and `prov events` tells of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from provisioner.events.meter import BOUNDS, BootMeter, Spread
from provisioner.model.tally import Tally

# Family of the tally: the name of its label, empty for none, and what it counts.
_COUNTS: Mapping[str, tuple[str, str]] = {
    "dhcp_messages": ("answer", "DHCP messages by what came of them."),
    "dhcp6_messages": ("answer", "DHCPv6 messages by what came of them."),
    "tftp_transfers": ("outcome", "TFTP requests by how they ended."),
    "tftp_bytes": ("", "Bytes of files sent by TFTP."),
    "http_bytes": ("resource", "Bytes sent by HTTP."),
    "http_requests": ("resource", "HTTP requests."),
    "http_refused": ("reason", "HTTP requests that were refused."),
    "nbd_requests": ("answer", "Commands of nodes whose root streams, by their answer."),
    "nbd_bytes": ("", "Bytes that such nodes read."),
    "dns_queries": ("answer", "DNS queries by their answer."),
    "events_lost": ("", "Events that could not be written down."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The daemon at one moment.

    `served_since` is Unix seconds; `states` counts nodes by state, `queues` what waits, by its name.
    """

    version: str
    revision: str
    served_since: float
    mistakes: int
    states: Mapping[str, int]
    boots_under_way: int
    events_lost: int
    queues: Mapping[str, int] = field(default_factory=dict)


class MetricsPage:
    """The page that Prometheus fetches."""

    def __init__(self, facts: Callable[[], Facts], tally: Tally, meter: BootMeter) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_SiteCollector(facts, tally, meter))
        ProcessCollector(namespace="provisioner", registry=self._registry)

    def text(self) -> bytes:
        """The page in the text format of Prometheus (version 0.0.4); not for a loop: it reads a file."""
        return generate_latest(self._registry)


class _SiteCollector(Collector):
    def __init__(self, facts: Callable[[], Facts], tally: Tally, meter: BootMeter) -> None:
        self._facts = facts
        self._tally = tally
        self._meter = meter

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is depends on what happened, and no other collector has these names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric of the site."""
        facts = self._facts()
        yield from _site(facts)
        yield from _counts([*self._tally, ("events_lost", "", facts.events_lost)])
        self._meter.update()
        yield from _boots(self._meter)


def _site(facts: Facts) -> Iterator[Metric]:
    yield InfoMetricFamily("provisioner_build", "The program.", {"version": facts.version})
    yield InfoMetricFamily("provisioner_revision", "The revision that is served.", {"revision": facts.revision})
    yield GaugeMetricFamily(
        "provisioner_revision_served_timestamp_seconds",
        "Since when the revision is served, in Unix seconds.",
        facts.served_since,
    )
    yield GaugeMetricFamily(
        "provisioner_site_mistakes", "Mistakes in what is written; the last good revision stays.", facts.mistakes
    )
    yield _labelled(GaugeMetricFamily("provisioner_nodes", "Nodes by state.", labels=["state"]), facts.states)
    yield GaugeMetricFamily(
        "provisioner_boots_under_way", "Boots that have a script and no report yet.", facts.boots_under_way
    )
    queues = GaugeMetricFamily("provisioner_queue_length", "What waits in the daemon, by queue.", labels=["queue"])
    yield _labelled(queues, facts.queues)


def _labelled(family: GaugeMetricFamily, values: Mapping[str, int]) -> GaugeMetricFamily:
    for label, value in sorted(values.items()):
        family.add_metric([label], value)
    return family


def _counts(counted: Iterable[tuple[str, str, int]]) -> Iterator[Metric]:
    """One family of counters for each family of the tally; known ones stand there from the start."""
    families = {name: _family(name) for name in _COUNTS}
    sums: dict[tuple[str, str], int] = {(name, ""): 0 for name, (label, _) in _COUNTS.items() if not label}
    for name, label, count in counted:
        families.setdefault(name, _family(name))
        key = (name, label if _label_of(name) else "")
        sums[key] = sums.get(key, 0) + count
    for (name, label), count in sums.items():
        families[name].add_metric([label] if _label_of(name) else [], count)
    yield from families.values()


def _family(name: str) -> CounterMetricFamily:
    label, text = _label_of(name), _COUNTS.get(name, ("", f"{name.replace('_', ' ').capitalize()}."))[1]
    return CounterMetricFamily(f"provisioner_{name}", text, labels=[label] if label else [])


def _label_of(name: str) -> str:
    return _COUNTS.get(name, ("kind", ""))[0]


def _boots(meter: BootMeter) -> Iterator[Metric]:
    ends = CounterMetricFamily("provisioner_boots", "Boots by how they ended.", labels=["image", "outcome"])
    for (image, outcome), count in sorted(meter.ends.items()):
        ends.add_metric([image, outcome], count)
    yield ends
    stages = HistogramMetricFamily(
        "provisioner_boot_stage_seconds",
        "How long the stages of finished boots took, and `total` for all of them.",
        labels=["stage", "image"],
    )
    for (stage, image), spread in sorted(meter.stages.items()):
        stages.add_metric([stage, image], _buckets(spread), spread.seconds)
    yield stages


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    """Upper ends and how many are not above them, as Prometheus wants them."""
    counted, total = [], 0
    for end, count in zip([*map(str, BOUNDS), "+Inf"], spread.counts, strict=True):
        total += count
        counted.append((end, float(total)))
    return counted
