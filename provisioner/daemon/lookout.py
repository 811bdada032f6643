"""Looks, after every reload, whether the overlays of all nodes can be rendered, before a node asks for them."""

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
from provisioner.model.event import Event, EventSink, Level, Stage

logger = logging.getLogger(__name__)


@dataclass
class Lookout:
    """Tries what is served, one revision after another; what was found is kept on the disk (operations.strict).

    A look that a newer revision makes useless ends between two nodes. `served` tells the revision that is served.
    """

    paths: Paths
    workers: Workers
    record: EventSink
    served: Callable[[], str]
    _wanted: bool = False
    _closed: bool = False
    _looking: asyncio.Task[None] | None = None
    _problems: tuple[Problem, ...] = field(default=())

    def look(self) -> None:
        """Look at what is served now; whoever looks already does so again afterwards."""
        if self._closed:
            # A change that is served while the daemon ends.
            return
        self._wanted = True
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Look no more."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while self._wanted:
            self._wanted = False
            revision = self.served()
            try:
                found = await self.workers.look(tasks.render_problems, self.paths, revision)
            except ProvisionerError as error:
                found = (tasks.whole_site(self.paths, error.message, error.hint),)
            except Exception as error:
                # To know beforehand is a help; nothing that happens here may end the service.
                logger.exception("the overlays cannot be tried")
                found = (tasks.whole_site(self.paths, f"{type(error).__name__}: {error}", "see the daemon's log"),)
            if found is not None:
                self._say(found)

    def _say(self, problems: tuple[Problem, ...]) -> None:
        if problems == self._problems:
            return
        self._problems = problems
        if not problems:
            self._record("site.renderable", "the overlays of all nodes can be rendered again", Level.INFO)
            return
        message = f"{len(problems)} mistakes keep overlays of nodes from being rendered: {problems[0]}"
        logger.error("%s", "\n".join(str(problem) for problem in problems))
        self._record("site.unrenderable", message.partition("\n")[0], Level.FAILURE)

    def _record(self, name: str, message: str, level: Level) -> None:
        logger.info("%s", message)
        data = {"problems": [str(problem) for problem in self._problems]}
        self.record(Event(time.time(), Stage.SITE, name, message, level, data=data))
