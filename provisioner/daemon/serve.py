"""The daemon of a site: starts every service, runs them, and stops them cleanly."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import time
from contextlib import AsyncExitStack, ExitStack

from provisioner.config.paths import Paths
from provisioner.daemon import pauses, tasks
from provisioner.daemon.assembly import services_of
from provisioner.daemon.current import Current
from provisioner.daemon.discoverer import Discoverer, opened_inbox
from provisioner.daemon.heartbeat import beat
from provisioner.daemon.lookout import Lookout
from provisioner.daemon.watch import watch
from provisioner.daemon.workers import Workers
from provisioner.errors import ConfigError, ConflictError, ProvisionerError
from provisioner.events.limit import LimitedSink
from provisioner.events.logged import LoggedSink
from provisioner.events.store import EventStore
from provisioner.host.files import locked
from provisioner.host.notify import notify
from provisioner.image.store import catalogue
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.registry.amend import recover
from provisioner.registry.store import read_current, read_snapshot

logger = logging.getLogger(__name__)


def serve(paths: Paths) -> None:
    """Run the daemon of a site until SIGTERM or SIGINT.

    Raises ConfigError or UnavailableError when it cannot start, ConflictError when it runs already.
    """
    # One daemon a site: two of them would both answer, each with its own idea of the boots under way.
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(paths.run / "daemon.lock", wait=False))
        except ConflictError:
            raise ConflictError(f"a daemon already serves {paths.site}", hint="prov status shows it") from None
        _allow_connections()
        asyncio.run(_serve(paths))


def _allow_connections() -> None:
    """As many open files as this process may have: every running node holds a connection (http.runtime).

    The usual limit is 1,024 for the sake of programs that call select(2), which this one does not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(paths: Paths) -> None:
    async with AsyncExitStack() as stack:
        stop = _stop_signal()
        store = EventStore(paths.events)
        stack.callback(store.close)
        inbox = opened_inbox(paths)
        record = inbox.watching(LimitedSink(LoggedSink(store.record, time.monotonic), time.monotonic))
        workers = Workers()
        stack.callback(workers.close)
        await asyncio.to_thread(_finish_interrupted, paths)
        current = await _first(paths, workers, record)
        # Now, while nobody waits for an answer yet.
        pauses.shorten()
        pauses.collect_and_freeze()
        await workers.compile(pauses.collect_and_freeze)
        services = services_of(paths, current, store, record, inbox)
        for service in services:
            await service.start()
            stack.push_async_callback(service.close)
        watcher = asyncio.create_task(watch(paths, current.reload))
        stack.push_async_callback(_cancel, watcher)
        _announce(current, record)
        lookout = Lookout(paths, workers, record, lambda: current.snapshot.revision)
        stack.push_async_callback(lookout.close)
        current.reloaded = lookout.look
        lookout.look()
        discoverer = Discoverer(paths, workers, record, lambda: current.snapshot, inbox)
        stack.push_async_callback(discoverer.close)
        discoverer.start()
        stack.push_async_callback(_cancel, asyncio.create_task(beat()))
        await _first_of(stop, watcher)
        notify("STOPPING=1")
        logger.info("stopping")


def _finish_interrupted(paths: Paths) -> None:
    """Finish an edit that was killed half way. Readers see it as made in any case, so no failure here is fatal."""
    try:
        for problem in recover(paths):
            logger.warning("%s", problem)
    except (ProvisionerError, OSError) as error:
        logger.error("an interrupted edit is not finished: %s", error)  # noqa: TRY400 - the reason says it all


async def _first_of(stop: asyncio.Event, watcher: asyncio.Task[None]) -> None:
    """Wait until it is time to stop; a watcher that ends is an error: edits would go unseen from then on."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, watcher}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if watcher.done():
        watcher.result()


async def _first(paths: Paths, workers: Workers, record: EventSink) -> Current:
    """The state to start with: what is written now, or the last good revision where that is broken."""
    result = await workers.compile(tasks.compile_revision, paths)
    revision = result.revision or read_current(paths)
    if revision is None:
        raise ConfigError(result.problems)
    snapshot = read_snapshot(paths, revision)
    current = Current(paths, workers, record, snapshot, catalogue(paths), result.problems)
    if result.problems:
        message = (
            f"{len(result.problems)} mistakes in what is written; serving the last good revision {revision[:16]}"
        )
        logger.error("%s\n%s", message, "\n".join(str(problem) for problem in result.problems))
        record(Event(time.time(), Stage.SITE, "site.broken", message, Level.FAILURE))
    return current


def _announce(current: Current, record: EventSink) -> None:
    snapshot = current.snapshot
    message = f"ready: {len(snapshot.nodes)} nodes, revision {snapshot.revision[:16]}"
    record(Event(time.time(), Stage.SITE, "site.started", message))
    logger.info("%s", message)
    notify("READY=1", f"STATUS={message}")


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
