"""What the daemon serves now: the last good snapshot, the images, and what is wrong with later edits."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from provisioner.config.paths import Paths
from provisioner.daemon import tasks
from provisioner.daemon.workers import Workers
from provisioner.errors import Problem, ProvisionerError
from provisioner.image.store import catalogue
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.snapshot import Snapshot
from provisioner.registry.store import read_snapshot

logger = logging.getLogger(__name__)


@dataclass
class Current:
    """The references that every service reads; `reload` swaps them. The only changing state of the front."""

    paths: Paths
    workers: Workers
    record: EventSink
    snapshot: Snapshot
    catalogue: Catalogue
    problems: tuple[Problem, ...] = ()
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reload(self) -> None:
        """Compile what is written now; serve it when it is right, else keep the last good one and say so."""
        async with self._lock:
            try:
                result = await self.workers.run(tasks.compile_revision, self.paths)
                if result.revision is None:
                    self._keep(result.problems)
                    return
                self.catalogue = await asyncio.to_thread(catalogue, self.paths)
            except ProvisionerError as error:
                # Damaged records, workers that die: it is said, and the next change tries again.
                self._keep((tasks.whole_site(self.paths, error.message, error.hint),))
                return
            self.problems = ()
            if result.revision != self.snapshot.revision:
                await self._serve(result.revision)

    async def _serve(self, revision: str) -> None:
        self.snapshot = await asyncio.to_thread(read_snapshot, self.paths, revision)
        message = f"serving revision {revision[:16]}: {len(self.snapshot.nodes)} nodes"
        logger.info("%s", message)
        self.record(Event(time.time(), Stage.SITE, "site.revision", message, data={"revision": revision}))

    def _keep(self, problems: tuple[Problem, ...]) -> None:
        if problems == self.problems:
            return
        self.problems = problems
        message = f"{len(problems)} mistakes in what is written; still serving {self.snapshot.revision[:16]}"
        logger.error("%s\n%s", message, "\n".join(str(problem) for problem in problems))
        data = {"problems": [str(problem) for problem in problems]}
        self.record(Event(time.time(), Stage.SITE, "site.broken", message, Level.FAILURE, data=data))
