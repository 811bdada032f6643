"""A service that does the same again and again."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

logger = logging.getLogger(__name__)


class Rounds(ABC):
    """Makes its round every `pause` seconds, the first one `soon` seconds after the start.

    A round that fails is told in the log, and is not the last: whoever looks after others must not fall himself.
    """

    pause = 1.0
    soon = 0.0

    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop at the next point where the round under way waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await asyncio.sleep(self.soon)
        while True:
            try:
                await self.round()
            except Exception:
                logger.exception("a round of %s failed", type(self).__name__)
            await asyncio.sleep(self.pause)

    @abstractmethod
    async def round(self) -> None:
        """What is done each time."""
