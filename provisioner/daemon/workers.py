"""The pool of worker processes, and what the front process asks of it."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import ParamSpec, TypeVar

from provisioner.boot.script import ScriptTokens
from provisioner.config.paths import Paths
from provisioner.daemon import tasks
from provisioner.errors import UnavailableError
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Refused, Unknown
from provisioner.overlay.rendered import OverlayKind, RenderedOverlay

P = ParamSpec("P")
R = TypeVar("R")

_KEPT_OVERLAYS = 4096
_GRACE = 2.0


class Workers:
    """Runs tasks in processes of their own; one that dies is replaced and its task tried once more.

    One process does nothing but compile: no request waits behind it, and it remembers what it has decoded.
    """

    def __init__(self, count: int = 2) -> None:
        self._rendering, self._compiling = _Pool(count), _Pool(1)

    async def run(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a task, or its exception; UnavailableError when it ends its process twice."""
        return await self._rendering.run(task, *args, **kwargs)

    async def compile(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `run`, in the process that compiles."""
        return await self._compiling.run(task, *args, **kwargs)

    def close(self) -> None:
        """End the processes; what they do now gets a moment to end by itself."""
        pools = (self._rendering, self._compiling)
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

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = self._new_pool()

    async def run(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a task, or its exception; UnavailableError when it ends its process twice."""
        for _ in range(2):
            pool = self._pool
            try:
                return await asyncio.wrap_future(pool.submit(task, *args, **kwargs))
            except BrokenProcessPool:
                # Several callers see the same death; the first one replaces the pool.
                if self._pool is pool:
                    self._pool = self._new_pool()
        raise UnavailableError(
            "two worker processes ended before they were done", hint="look for the out-of-memory killer: dmesg"
        )

    def stop(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        """Return when all processes have ended."""
        self._pool.shutdown(wait=True)

    def _new_pool(self) -> ProcessPoolExecutor:
        # Spawned, not forked: the front process has threads.
        return ProcessPoolExecutor(self._count, mp_context=get_context("spawn"), initializer=tasks.initialise)


class PoolRendering:
    """`http.site.Rendering` by worker processes: one render of a thing at a time, and the newest ones kept."""

    def __init__(self, paths: Paths, workers: Workers) -> None:
        self._paths = paths
        self._workers = workers
        self._overlays: OrderedDict[tuple[str, str, OverlayKind], RenderedOverlay] = OrderedDict()
        self._pending: dict[tuple[str, str, OverlayKind], asyncio.Task[RenderedOverlay]] = {}

    async def boot_script(self, decision: Boot, revision: str, tokens: ScriptTokens, mac: MacAddress) -> str:
        """The script that boots a node at a revision."""
        return await self._workers.run(tasks.boot_script, self._paths, revision, decision, tokens, str(mac))

    async def other_script(self, decision: Unknown | Refused, revision: str, mac: MacAddress, url: str) -> str:
        """The script for a machine that cannot boot."""
        return await self._workers.run(tasks.other_script, self._paths, revision, decision, str(mac), url)

    async def overlay(self, revision: str, node: str, kind: OverlayKind) -> RenderedOverlay:
        """The overlay archive of a node at a revision; a thousand requests at once render it once."""
        key = (revision, node, kind)
        if key in self._overlays:
            self._overlays.move_to_end(key)
            return self._overlays[key]
        if key not in self._pending:
            self._pending[key] = asyncio.create_task(self._render(key))
        # Shielded: the client that asked first may go away, the others still wait.
        return await asyncio.shield(self._pending[key])

    async def _render(self, key: tuple[str, str, OverlayKind]) -> RenderedOverlay:
        try:
            rendered = await self._workers.run(tasks.overlay, self._paths, *key)
        finally:
            del self._pending[key]
        self._overlays[key] = rendered
        if len(self._overlays) > _KEPT_OVERLAYS:
            self._overlays.popitem(last=False)
        return rendered
