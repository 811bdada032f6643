"""The composition root: builds every service from one site, runs them, and stops them cleanly."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from provisioner import __version__
from provisioner.api.server import ControlServer
from provisioner.boot.controlfolder import ControlFolder
from provisioner.boot.ledger import Ledger
from provisioner.boot.tools import find_tools
from provisioner.config.paths import Paths
from provisioner.daemon import pauses, tasks
from provisioner.daemon.bootfiles import BootFiles
from provisioner.daemon.certificate import certificate_of
from provisioner.daemon.current import Current
from provisioner.daemon.discoverer import Discoverer, opened_inbox
from provisioner.daemon.footing import Footing, Watchman
from provisioner.daemon.gauges import Gauges, observers
from provisioner.daemon.heartbeat import beat
from provisioner.daemon.lookout import Lookout
from provisioner.daemon.recorder import StoreRecorder, open_ledger
from provisioner.daemon.services import Place, Service, Wiring
from provisioner.daemon.statewatch import StateWatch
from provisioner.daemon.watch import watch
from provisioner.daemon.workers import PoolRendering, Workers
from provisioner.dns.serial import Serials
from provisioner.errors import ConfigError, ConflictError, ProvisionerError, UnavailableError
from provisioner.events.bootlogs import BootLogs
from provisioner.events.hardware import HardwareFolder
from provisioner.events.history import History
from provisioner.events.inbox import Inbox
from provisioner.events.limit import LimitedSink
from provisioner.events.logged import LoggedSink
from provisioner.events.store import EventStore
from provisioner.host import net
from provisioner.host.files import locked
from provisioner.host.notify import notify
from provisioner.http.links import Links
from provisioner.http.server import HttpServer
from provisioner.http.site import HttpSite, Steered
from provisioner.image.store import artifact_path, catalogue
from provisioner.model.address import Address, MacAddress
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from provisioner.model.written import Dhcp6Mode, DhcpMode, Network
from provisioner.nbd.desk import NbdSite
from provisioner.nbd.server import NbdServer
from provisioner.registry.amend import recover
from provisioner.registry.store import read_current, read_snapshot
from provisioner.tftp.table import LOADER_FOLDERS, read_loaders, shelf_of
from provisioner.trust.signing import EPOCH_FILE, SigningKeys
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import TokenMint
from provisioner.trust.tokenepoch import WatchedEpoch

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
        services = _services(paths, current, store, record, inbox)
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


def _services(paths: Paths, current: Current, store: EventStore, record: EventSink, inbox: Inbox) -> list[Service]:
    bare, ledger = _wiring(paths, current, record), open_ledger(paths, store)
    key = SiteKey.load_or_create(paths.keys)
    mint = TokenMint(key, WatchedEpoch(paths.keys))
    wiring = replace(bare, nbd=_nbd(paths, bare, ledger, mint, current.snapshot.site.ports.nbd))
    places, ports = _places(current.snapshot), current.snapshot.site.ports
    footings: list[Footing] = []
    watchman, statewatch = Watchman(footings), StateWatch(store, record, current.reload)
    current.needed = ledger.revisions
    boots = _Boots(
        ledger, mint, SigningKeys(key, WatchedEpoch(paths.keys, EPOCH_FILE)), StoreRecorder(store), inbox
    )
    site = _http_site(paths, current, wiring, places, boots)
    site = replace(site, mac_of=lambda address: _holder(address, footings))
    wiring = replace(wiring, boot_files=BootFiles(site).find)
    footings += [Footing(place, wiring, ports) for place in places]
    return [
        HttpServer(site, hosts=_hosts(places), port=ports.http, tls_port=ports.https),
        *footings,
        watchman,
        statewatch,
        _control(paths, current, site, lambda: [*watchman.troubles(), *statewatch.troubles()]),
        *observers(paths, Gauges(current, ledger, store, current.workers), wiring.tally),
    ]


@dataclass(frozen=True, slots=True)
class _Boots:
    """What tells one boot from another, and keeps what becomes of it."""

    ledger: Ledger
    mint: TokenMint
    signing: SigningKeys
    recorder: StoreRecorder
    inbox: Inbox


def _http_site(paths: Paths, current: Current, wiring: Wiring, places: Sequence[Place], boots: _Boots) -> HttpSite:
    own = frozenset(place.address for place in places)
    return HttpSite(
        snapshot=wiring.snapshot,
        catalogue=wiring.catalogue,
        artifact=lambda digest: artifact_path(paths, digest),
        loaders=wiring.loaders,
        mac_of=lambda _: None,
        rendering=PoolRendering(paths, current.workers),
        url_in=lambda network: current.snapshot.head_url(network, own),
        ledger=boots.ledger,
        mint=boots.mint,
        record=wiring.record,
        recorder=boots.recorder,
        now=time.time,
        tally=wiring.tally,
        attempts=wiring.attempts,
        link_of=Links({place.network: place.interface for place in places}, net.link_speed).speed,
        inbox=boots.inbox,
        steered=_steered(paths),
        tls=certificate_of(paths, current.snapshot.site, _hosts(places)),
        signing=boots.signing,
    )


def _hosts(places: Sequence[Place]) -> list[str]:
    return [str(each) for place in places for each in place.addresses]


def _holder(address: IPv4Address, footings: Sequence[Footing]) -> MacAddress | None:
    return next(filter(None, (each.dhcp.mac_of(address) for each in footings)), None)


def _control(paths: Paths, current: Current, site: HttpSite, troubles: Callable[[], list[str]]) -> ControlServer:
    return ControlServer(
        paths.control_socket,
        status=_status(current, troubles),
        reload=current.reload,
        push=lambda names: asdict(site.pokes.push(names)),
        runtime=lambda: {"since": current.since, **site.looks.told(current.snapshot.revision)},
    )


def _steered(paths: Paths) -> Steered:
    keep_log, keep_hardware = BootLogs(paths.boot_logs).write, HardwareFolder(paths.hardware).write
    return Steered(ControlFolder(paths.state), History(paths.events).boots, find_tools(), keep_log, keep_hardware)


def _wiring(paths: Paths, current: Current, record: EventSink) -> Wiring:
    loaders = read_loaders((paths.state / "loaders", *LOADER_FOLDERS))
    serials = Serials(paths.state / "dns-serial", time.time)
    return Wiring(
        lambda: current.snapshot,
        lambda: current.catalogue,
        loaders,
        record,
        tally=Tally(),
        serial=serials.of,
        shelf=shelf_of(loaders),
    )


def _nbd(paths: Paths, wiring: Wiring, ledger: Ledger, mint: TokenMint, port: int) -> Callable[[Address], Service]:
    site = NbdSite(
        snapshot=wiring.snapshot,
        catalogue=wiring.catalogue,
        artifact=lambda digest: artifact_path(paths, digest),
        ledger=ledger,
        mint=mint,
        record=wiring.record,
        now=time.time,
        tally=wiring.tally,
    )
    return lambda address: NbdServer(site, address=address, port=port)


def _places(snapshot: Snapshot) -> list[Place]:
    """Where this machine stands in each network of the site.

    A network without our DHCP may be one where the head node is not: storage, or the management of machines.
    Raises UnavailableError where it has to be, and where it is nowhere.
    """
    own = net.addresses()
    places: list[Place] = []
    for name, network in snapshot.site.networks.items():
        if network.relayed:
            # Relays bring its questions to where the head node is; answers find their way by its gateway.
            continue
        head = network.own_head(own)
        if head is None:
            is_elsewhere = network.dhcp is DhcpMode.OFF and network.dhcp6 is Dhcp6Mode.OFF
            if is_elsewhere and (places or name != _last(snapshot)):
                continue
            heads = " or ".join(map(str, network.heads))
            message = f"no network device of this machine has {heads}, the head node's address in network {name}"
            hint = (
                f"ip address add {network.head}/{network.cidr.prefixlen} dev DEVICE, or set networks.{name}.server"
            )
            raise UnavailableError(message, hint=hint)
        places.append(Place(name, own[head], head, _head6(name, network)))
    return places


def _last(snapshot: Snapshot) -> str:
    """The last network that the head node can be in: the one to name where it is in none."""
    return [name for name, network in snapshot.site.networks.items() if not network.relayed][-1]


def _head6(name: str, network: Network) -> IPv6Address | None:
    """The head node's IPv6 address in a network where it gives out such addresses.

    Raises UnavailableError where no device has it. Of several head nodes one has it, and alone serves IPv6.
    """
    head = network.head6
    if network.dhcp6 is Dhcp6Mode.OFF or head is None or network.cidr6 is None:
        return None
    if head not in net.addresses6():
        if len(network.heads) > 1:
            return None
        message = f"no network device of this machine has {head}, the head node's IPv6 address in network {name}"
        hint = f"ip address add {head}/{network.cidr6.prefixlen} dev DEVICE, or set networks.{name}.server6"
        raise UnavailableError(message, hint=hint)
    return head


def _announce(current: Current, record: EventSink) -> None:
    snapshot = current.snapshot
    message = f"ready: {len(snapshot.nodes)} nodes, revision {snapshot.revision[:16]}"
    record(Event(time.time(), Stage.SITE, "site.started", message))
    logger.info("%s", message)
    notify("READY=1", f"STATUS={message}")


def _status(current: Current, missing: Callable[[], list[str]]) -> Callable[[], dict[str, object]]:
    started = time.time()

    def status() -> dict[str, object]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started": started,
            "revision": current.snapshot.revision,
            "nodes": len(current.snapshot.nodes),
            "problems": [str(problem) for problem in current.problems],
            "missing": missing(),
        }

    return status


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
