"""Watching what people write: a change of any file of the site asks for a reload."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from watchfiles import Change, awatch
from watchfiles._rust_notify import WatchfilesRustInternalError

from provisioner.config.paths import Paths

logger = logging.getLogger(__name__)

# An editor writes, renames and removes within a millisecond or two; what comes later is one more compilation.
_SETTLE_MS = 10
_RETRY_SECONDS = 5.0


async def watch(paths: Paths, changed: Callable[[], Awaitable[None]]) -> None:
    """Call `changed` after every change, until cancelled; once at the start, for what changed before.

    The site's own folder is watched without what lies below it, because state may lie there too; the folders
    that people write in are watched whole, and a folder that appears later is taken in.
    """
    while True:
        try:
            await _watch(paths, watched_folders(paths), changed)
        except* (OSError, WatchfilesRustInternalError) as errors:
            # A folder that has just gone, or no inotify watches left: without them this looks now and then.
            logger.error("files of the site are not watched: %s", errors.exceptions[0])  # noqa: TRY400
            await asyncio.sleep(_RETRY_SECONDS)


def watched_folders(paths: Paths) -> list[Path]:
    """The folders that people write in and that exist, and those of the shipped data."""
    shipped = [paths.data / "overlays", paths.data / "templates"]
    own = [paths.group_files, paths.node_files, paths.site / "overlays", paths.site / "templates"]
    return [folder for folder in (*own, *shipped) if folder.is_dir()]


async def _watch(paths: Paths, folders: list[Path], changed: Callable[[], Awaitable[None]]) -> None:
    """Watch until other folders have to be watched."""
    touched = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watchers = [
            group.create_task(_tell(paths, touched, [paths.site], recursive=False)),
            group.create_task(_tell(paths, touched, folders, recursive=True)),
        ]
        # Both watch once they have run for the first time; from here on no change is missed.
        await asyncio.sleep(0)
        while watched_folders(paths) == folders:
            touched.clear()
            await changed()
            await touched.wait()
        for watcher in watchers:
            watcher.cancel()


def is_read(paths: Paths, path: str) -> bool:
    """Whether a file that changed can be part of a revision: not what writers make beside a file to rename it.

    An overlay may hold any file, a `.venv` or `notes~` too.
    """
    overlays = (f"{paths.site / 'overlays'}/", f"{paths.data / 'overlays'}/")
    return path.startswith(overlays) or not path.rpartition("/")[2].startswith(".")


async def _tell(paths: Paths, touched: asyncio.Event, folders: list[Path], *, recursive: bool) -> None:
    def wanted(_change: Change, path: str) -> bool:
        return is_read(paths, path)

    watching = awatch(*folders, watch_filter=wanted, recursive=recursive, debounce=_SETTLE_MS, step=_SETTLE_MS)
    async for _ in watching:
        touched.set()
