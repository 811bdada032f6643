"""What the daemon serves now: the last good snapshot, the images, and what is wrong with later edits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from provisioner.config.paths import Paths
from provisioner.daemon import tasks
from provisioner.daemon.workers import Workers
from provisioner.errors import Problem, ProvisionerError
from provisioner.image.store import catalogue
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Dhcp6Mode, Network
from provisioner.registry.store import follow

logger = logging.getLogger(__name__)


@dataclass
class Current:
    """The references that every service reads; `reload` swaps them. The only changing state of the front.

    `needed` tells the revisions of boots under way, whose snapshots stay; `reloaded` is called after each reload
    that found no mistake. `since` is the time (Unix seconds) from which the snapshot is served.
    """

    paths: Paths
    workers: Workers
    record: EventSink
    snapshot: Snapshot
    catalogue: Catalogue
    problems: tuple[Problem, ...] = ()
    needed: Callable[[], frozenset[str]] = frozenset
    reloaded: Callable[[], None] = lambda: None
    since: float = field(default_factory=time.time)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: asyncio.Task[None] | None = None

    async def reload(self) -> None:
        """Compile what is written now; serve it when it is right, else keep the last good one and say so.

        Whoever asks while another reload has not yet begun to read shares that one.
        """
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._reload())
        # Shielded: one of those who wait may go away.
        await asyncio.shield(self._waiting)

    async def _reload(self) -> None:
        async with self._lock:
            # What is written from here on may not be seen any more.
            self._waiting = None
            try:
                problems = await self._compile()
            except ProvisionerError as error:
                # Damaged records, workers that die: it is said, and the next change tries again.
                problems = (tasks.whole_site(self.paths, error.message, error.hint),)
            except Exception as error:
                # Nothing that people write may end the service of everybody else.
                logger.exception("the site cannot be compiled")
                problems = (
                    tasks.whole_site(self.paths, f"{type(error).__name__}: {error}", "see the daemon's log"),
                )
            self._say(problems)

    async def _compile(self) -> tuple[Problem, ...]:
        result = await self.workers.compile(tasks.compile_revision, self.paths, self.needed())
        if result.revision is None:
            return result.problems
        snapshot, images = await asyncio.to_thread(self._read, result.revision)
        if sockets_of(snapshot) != sockets_of(self.snapshot):
            hint = "restart prov serve"
            return (Problem("provisioner.yaml", 0, 0, "ports or addresses of the head node have changed", hint),)
        changed = snapshot is not self.snapshot
        self.snapshot, self.catalogue = snapshot, images
        if changed:
            self.since = time.time()
            message = f"serving revision {snapshot.revision[:16]}: {len(snapshot.nodes)} nodes"
            self._record("site.revision", message, {"revision": snapshot.revision})
        self.reloaded()
        return ()

    def _read(self, revision: str) -> tuple[Snapshot, Catalogue]:
        same = revision == self.snapshot.revision
        return self.snapshot if same else follow(self.paths, self.snapshot, revision), catalogue(self.paths)

    def _say(self, problems: tuple[Problem, ...]) -> None:
        if problems == self.problems:
            return
        self.problems = problems
        if not problems:
            self._record("site.repaired", "what is written has no mistakes any more", {})
            return
        message = f"{len(problems)} mistakes in what is written; still serving {self.snapshot.revision[:16]}"
        logger.error("%s\n%s", message, "\n".join(str(problem) for problem in problems))
        data = {"problems": [str(problem) for problem in problems]}
        self.record(Event(time.time(), Stage.SITE, "site.broken", message, Level.FAILURE, data=data))

    def _record(self, name: str, message: str, data: dict[str, object]) -> None:
        logger.info("%s", message)
        self.record(Event(time.time(), Stage.SITE, name, message, data=data))


def sockets_of(snapshot: Snapshot) -> object:
    """What the sockets of the daemon were opened for: it cannot change while they are open."""
    site = snapshot.site
    return (
        site.ports,
        site.metrics,
        {name: (network.heads, network.dhcp, _of_ipv6(network)) for name, network in site.networks.items()},
    )


def _of_ipv6(network: Network) -> object:
    return network.dhcp6 is Dhcp6Mode.AUTHORITATIVE and (network.head6, network.cidr6)
