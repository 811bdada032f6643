"""Watching what people write: a change of any file of the site asks for a reload.

inotify watches folders, not names: where another folder takes a name (a checkout, a rename), the old one is still
the one that is watched. So the folders are compared with those that have the names now, and watched anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from watchfiles import Change, awatch
from watchfiles._rust_notify import WatchfilesRustInternalError

from provisioner.config.paths import Paths

logger = logging.getLogger(__name__)

# An editor writes, renames and removes within a millisecond or two; what comes later is one more compilation.
_SETTLE_MS = 10
_RETRY_SECONDS = 5.0
# A few calls of stat: whether the folders are the same ones. Nobody tells of a site folder that was replaced.
_GLANCE_SECONDS = 1.0
# A reload that finds nothing new takes some milliseconds; it sees what inotify does not tell of (network drives).
LOOK_SECONDS = 30.0

Folders = Mapping[Path, tuple[int, int]]
"""Folders by their names: device and inode number of each."""


async def watch(paths: Paths, changed: Callable[[], Awaitable[None]], *, look_every: float = LOOK_SECONDS) -> None:
    """Call `changed` after every change, until cancelled; once at the start, for what changed before.

    The site's own folder is watched without what lies below it, because state may lie there too; the folders
    that people write in are watched whole, and a folder that appears later or takes the place of another one is
    taken in. `changed` is also called after `look_every` seconds without a change.
    """
    while True:
        try:
            await _watch(paths, changed, look_every)
        except* (OSError, WatchfilesRustInternalError) as errors:
            # A folder that has just gone, or no inotify watches left: without them this looks now and then.
            logger.error("files of the site are not watched: %s", errors.exceptions[0])  # noqa: TRY400
            await asyncio.sleep(_RETRY_SECONDS)


def watched_folders(paths: Paths) -> Folders:
    """The site's folder, those that people write in, and those of the shipped data, as far as they exist."""
    shipped = (paths.data / "overlays", paths.data / "templates")
    named = (paths.site / name for name in ("overlays", "templates", "files"))
    own = (paths.group_files, paths.node_files, paths.switch_files, *named)
    found = {}
    for folder in (paths.site, *own, *shipped):
        if folder.is_dir():
            # One that goes in this moment is none.
            with suppress(OSError):
                status = folder.stat()
                found[folder] = status.st_dev, status.st_ino
    return found


@contextmanager
def held(folders: Iterable[Path]) -> Iterator[None]:
    """Keep folders open, so that a folder which takes the name of one cannot get its inode number too."""
    with ExitStack() as stack:
        for folder in folders:
            with suppress(OSError):
                handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, handle)
        yield


def is_read(paths: Paths, path: str) -> bool:
    """Whether a file that changed can be part of a revision: not what writers make beside a file to rename it.

    An overlay may hold any file, a `.venv` or `notes~` too, and so may what templates include.
    """
    whole = (f"{paths.site / 'overlays'}/", f"{paths.data / 'overlays'}/", f"{paths.site / 'files'}/")
    return path.startswith(whole) or not path.rpartition("/")[2].startswith(".")


async def _watch(paths: Paths, changed: Callable[[], Awaitable[None]], look_every: float) -> None:
    """Watch until other folders have to be watched."""
    touched = asyncio.Event()
    folders = watched_folders(paths)
    below = [folder for folder in folders if folder != paths.site]
    with held(folders):
        async with asyncio.TaskGroup() as group:
            watchers = [
                group.create_task(_tell(paths, touched, [paths.site], recursive=False)),
                group.create_task(_tell(paths, touched, below, recursive=True)),
            ]
            # Both watch once they have run for the first time; from here on no change is missed.
            await asyncio.sleep(0)
            while watched_folders(paths) == folders:
                touched.clear()
                await changed()
                await _woken(paths, folders, touched, look_every)
            for watcher in watchers:
                watcher.cancel()


async def _woken(paths: Paths, folders: Folders, touched: asyncio.Event, look_every: float) -> None:
    """Wait for a change, for another folder in the place of one, or until it is time to look without a reason."""
    now = asyncio.get_running_loop().time
    deadline = now() + look_every
    while not touched.is_set() and watched_folders(paths) == folders and (left := deadline - now()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(touched.wait(), min(left, _GLANCE_SECONDS))


async def _tell(paths: Paths, touched: asyncio.Event, folders: list[Path], *, recursive: bool) -> None:
    def wanted(_change: Change, path: str) -> bool:
        return is_read(paths, path)

    watching = awatch(*folders, watch_filter=wanted, recursive=recursive, debounce=_SETTLE_MS, step=_SETTLE_MS)
    async for _ in watching:
        touched.set()
