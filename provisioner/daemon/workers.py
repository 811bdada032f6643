"""The pool of worker processes, and what the front process asks of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import ParamSpec, TypeVar

from provisioner.boot.script import Language, ScriptTokens
from provisioner.config.paths import Paths
from provisioner.daemon import tasks
from provisioner.daemon.kept import KeptOverlays, OverlayKey
from provisioner.errors import ProvisionerError, UnavailableError
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Other
from provisioner.overlay.rendered import OverlayKind, RenderedOverlay
from provisioner.trust.importedkeys import ImportedKeys

P = ParamSpec("P")
R = TypeVar("R")

_GRACE = 2.0


class Workers:
    """Runs tasks in processes of their own; one that dies is replaced and its task tried once more.

    So is one that lacks memory for its task, because it may be full of what earlier tasks left.

    One process does nothing but compile: no request waits behind it, and it remembers what it has decoded. Two
    more, which start when they are needed, do what nobody waits for, at the lowest priority.
    """

    def __init__(self, count: int = 2) -> None:
        self._rendering, self._compiling = _Pool(count, tasks.initialise), _Pool(1, tasks.initialise_compiling)
        self._looking = _Pool(1, tasks.initialise_looking)
        self._changing = _Pool(1, tasks.initialise_looking)

    async def run(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a task, or its exception.

        UnavailableError when it ends its process twice, ExhaustedError when a new one lacks memory for it too.
        """
        return await self._rendering.run(task, *args, **kwargs)

    async def compile(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `run`, in the process that compiles."""
        return await self._compiling.run(task, *args, **kwargs)

    async def look(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `run`, in the process that everybody else comes before."""
        return await self._looking.run(task, *args, **kwargs)

    def waiting(self) -> dict[str, int]:
        """How many tasks wait or run, by pool."""
        pools = {"rendering": self._rendering, "compiling": self._compiling, "looking": self._looking}
        return {name: pool.asked for name, pool in pools.items()}

    async def change(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `run`, in a process for changes of the site, which wait until the change is compiled and served."""
        return await self._changing.run(task, *args, **kwargs)

    def close(self) -> None:
        """End the processes; what they do now gets a moment to end by itself."""
        pools = (self._rendering, self._compiling, self._looking, self._changing)
        for pool in pools:
            pool.stop()
        deadline = time.monotonic() + _GRACE
        for worker in active_children():
            worker.join(max(0.0, deadline - time.monotonic()))
            worker.terminate()
        for pool in pools:
            pool.wait()


class _Pool:
    """Some processes that are alike."""

    def __init__(self, count: int, initialise: Callable[[], None]) -> None:
        self._count = count
        self._initialise = initialise
        self._pool = self._new_pool()
        self.asked = 0

    async def run(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `Workers.run`."""
        self.asked += 1
        try:
            return await self._run(task, *args, **kwargs)
        finally:
            self.asked -= 1

    async def _run(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        failure: ProvisionerError
        for _ in range(2):
            pool = self._pool
            try:
                return await asyncio.wrap_future(pool.submit(task, *args, **kwargs))
            except BrokenProcessPool:
                message = "two worker processes ended before they were done"
                failure = UnavailableError(message, hint="look for the out-of-memory killer: dmesg")
            except tasks.ExhaustedError as error:
                failure = error
            self._replace(pool)
        raise failure

    def _replace(self, pool: ProcessPoolExecutor) -> None:
        """New processes for those of a pool, which end when they have done what they were given."""
        # Several callers see the same death; the first one replaces the pool.
        if self._pool is pool:
            self._pool = self._new_pool()
            pool.shutdown(wait=False)

    def stop(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        """Return when all processes have ended."""
        self._pool.shutdown(wait=True)

    def _new_pool(self) -> ProcessPoolExecutor:
        # Spawned, not forked: the front process has threads.
        return ProcessPoolExecutor(self._count, mp_context=get_context("spawn"), initializer=self._initialise)


class PoolRendering:
    """`http.site.Rendering` by worker processes: one render of a thing at a time, and the newest ones kept."""

    def __init__(self, paths: Paths, workers: Workers) -> None:
        self._paths = paths
        self._workers = workers
        self._kept = KeptOverlays()
        self._imported = ImportedKeys(paths.keys)
        self._pending: dict[OverlayKey, asyncio.Task[RenderedOverlay]] = {}

    async def boot_script(
        self,
        decision: Boot,
        revision: str,
        tokens: ScriptTokens,
        mac: MacAddress,
        url: str,
        *,
        language: Language = Language.IPXE,
    ) -> str:
        """The script that boots a node at a revision."""
        return await self._workers.run(
            tasks.boot_script, self._paths, revision, decision, tokens, str(mac), url=url, language=language
        )

    async def other_script(
        self,
        decision: Other,
        revision: str,
        mac: MacAddress,
        url: str,
        *,
        language: Language = Language.IPXE,
    ) -> str:
        """The script of a machine that boots no image."""
        return await self._workers.run(
            tasks.other_script, self._paths, revision, decision, str(mac), url, language=language
        )

    async def overlay(self, revision: str, node: str, kind: OverlayKind, generation: str) -> RenderedOverlay:
        """The overlay archive of a node over a generation; a thousand requests at once render it once."""
        key = OverlayKey(revision, node, kind, generation, self._imported.stamp)
        known = self._kept.get(key)
        if known is not None:
            return known
        if key not in self._pending:
            self._pending[key] = asyncio.create_task(self._render(key))
        # Shielded: the client that asked first may go away, the others still wait.
        return await asyncio.shield(self._pending[key])

    async def _render(self, key: OverlayKey) -> RenderedOverlay:
        try:
            rendered = await self._workers.run(
                tasks.overlay, self._paths, key.revision, key.node, key.kind, key.generation
            )
        finally:
            del self._pending[key]
        self._kept.add(key, rendered)
        return rendered
