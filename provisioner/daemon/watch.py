"""Watching what people write: a change of any file of the site asks for a reload."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from watchfiles import awatch

from provisioner.config.paths import Paths

_SETTLE_MS = 50


async def watch(paths: Paths, changed: Callable[[], Awaitable[None]]) -> None:
    """Call `changed` after every change, until cancelled.

    The site's own folder is watched without what lies below it, because state may lie there too; the folders
    that people write in are watched whole, and a folder that appears later is taken in.
    """
    while True:
        folders = _folders(paths)
        deeper = asyncio.create_task(_watch_below(folders, changed))
        try:
            async for _ in awatch(paths.site, recursive=False, debounce=_SETTLE_MS, step=_SETTLE_MS):
                await changed()
                if _folders(paths) != folders:
                    break
        finally:
            deeper.cancel()
            await asyncio.gather(deeper, return_exceptions=True)


async def _watch_below(folders: list[Path], changed: Callable[[], Awaitable[None]]) -> None:
    async for _ in awatch(*folders, recursive=True, debounce=_SETTLE_MS, step=_SETTLE_MS):
        await changed()


def _folders(paths: Paths) -> list[Path]:
    shipped = [paths.data / "overlays", paths.data / "templates"]
    own = [paths.group_files, paths.node_files, paths.site / "overlays", paths.site / "templates"]
    return [folder for folder in (*own, *shipped) if folder.is_dir()]
