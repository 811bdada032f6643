"""The composition root: every service of the daemon, built from one site."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Address

from provisioner import __version__
from provisioner.api.server import ControlServer
from provisioner.boot.controlfolder import ControlFolder
from provisioner.boot.ledger import Ledger
from provisioner.boot.tools import find_tools
from provisioner.boot.tpmfolder import TpmFolder
from provisioner.config.paths import Paths
from provisioner.daemon.bootfiles import BootFiles
from provisioner.daemon.certificate import certificate_of
from provisioner.daemon.current import Current
from provisioner.daemon.footing import Footing, Watchman
from provisioner.daemon.gauges import Gauges, observers
from provisioner.daemon.places import places_of
from provisioner.daemon.recorder import StoreRecorder, open_ledger
from provisioner.daemon.services import Place, Service, Wiring
from provisioner.daemon.statewatch import StateWatch
from provisioner.daemon.workers import PoolRendering
from provisioner.dns.serial import Serials
from provisioner.events.bootlogs import BootLogs
from provisioner.events.hardware import HardwareFolder
from provisioner.events.history import History
from provisioner.events.inbox import Inbox
from provisioner.events.store import EventStore
from provisioner.host import net
from provisioner.http.links import Links
from provisioner.http.server import HttpServer
from provisioner.http.site import Attesting, HttpSite, Steered
from provisioner.image.store import artifact_path
from provisioner.model.address import Address, MacAddress
from provisioner.model.event import EventSink
from provisioner.model.tally import Tally
from provisioner.nbd.desk import NbdSite
from provisioner.nbd.server import NbdServer
from provisioner.tftp.table import LOADER_FOLDERS, read_loaders, shelf_of
from provisioner.trust.signing import EPOCH_FILE, SigningKeys
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import TokenMint
from provisioner.trust.tokenepoch import WatchedEpoch
from provisioner.trust.tpm.attestor import Attestor


def services_of(
    paths: Paths, current: Current, store: EventStore, record: EventSink, inbox: Inbox
) -> list[Service]:
    """Everything that serves, in the order in which it starts.

    Raises UnavailableError where this machine does not stand in the site's networks, or a file cannot be used.
    """
    bare, ledger = _wiring(paths, current, record), open_ledger(paths, store)
    key = SiteKey.load_or_create(paths.keys)
    mint = TokenMint(key, WatchedEpoch(paths.keys))
    wiring = replace(bare, nbd=_nbd(paths, bare, ledger, mint, current.snapshot.site.ports.nbd))
    places, ports = places_of(current.snapshot), current.snapshot.site.ports
    footings: list[Footing] = []
    watchman, statewatch = Watchman(footings), StateWatch(store, record, current.reload)
    current.needed = ledger.revisions
    boots = _Boots(
        ledger, mint, SigningKeys(key, WatchedEpoch(paths.keys, EPOCH_FILE)), StoreRecorder(store), inbox
    )
    site = _http_site(paths, current, wiring, places, boots)
    attesting = Attesting(Attestor(key), TpmFolder(paths.state).change)
    site = replace(site, mac_of=lambda address: _holder(address, footings), attesting=attesting)
    wiring = replace(wiring, boot_files=BootFiles(site).find)
    footings += [Footing(place, wiring, ports) for place in places]
    return [
        HttpServer(site, hosts=_hosts(places), port=ports.http, tls_port=ports.https),
        *footings,
        watchman,
        statewatch,
        *observers(paths, Gauges(current, ledger, store, current.workers), wiring.tally),
        # The last one: whoever can ask it finds everything else.
        _control(paths, current, site, lambda: [*watchman.troubles(), *statewatch.troubles()]),
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


def _status(current: Current, missing: Callable[[], list[str]]) -> Callable[[], dict[str, object]]:
    started = time.time()

    def status() -> dict[str, object]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "namespace": net.namespace(),
            "started": started,
            "revision": current.snapshot.revision,
            "nodes": len(current.snapshot.nodes),
            "problems": [str(problem) for problem in current.problems],
            "missing": missing(),
        }

    return status
