"""A capture from beginning to end: who is listened to, what is kept, and the lines that explain it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO

from provisioner.archive.pcapng import Captured, pcap_packet, pcap_start, pcapng_packet, pcapng_start
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.events.history import History
from provisioner.events.search import EventFilter
from provisioner.host import net
from provisioner.host.sniffer import Heard, Sniffer, program
from provisioner.image.store import catalogue
from provisioner.model.address import MacAddress
from provisioner.model.event import Event
from provisioner.model.snapshot import Snapshot
from provisioner.operations.capture.frame import Packet, Protocol, parse
from provisioner.operations.capture.judges import judges_of
from provisioner.operations.capture.masks import masked
from provisioner.operations.capture.words import Reader
from provisioner.operations.status import served_snapshot
from provisioner.tftp.table import LOADER_FOLDERS, read_loaders

_SMALLEST_DATA = 64
_MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the explanation. `time` is Unix seconds; `way` is `>` to the head node, `<` from it, `=` inside.

    `service` is dhcp, tftp, http, dns, or `daemon` for an event that the daemon recorded meanwhile.
    """

    time: float
    way: str
    service: str
    text: str
    policy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Whom to listen to and where. `server` is the head node's address in the machine's network."""

    name: str
    macs: tuple[MacAddress, ...]
    addresses: tuple[IPv4Address, ...]
    devices: tuple[str, ...]
    server: IPv4Address


@dataclass(slots=True)
class Account:
    """What a capture came to: frames kept, frames that came too fast, whether the file became full."""

    frames: int = 0
    dropped: int = 0
    is_full: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """How to capture: for how many seconds, into which file of how many bytes; `secrets` keeps everything."""

    seconds: float
    output: Path | None = None
    limit: int = 64 << 20
    secrets: bool = False


def target_of(paths: Paths, name: str, devices: tuple[str, ...] = ()) -> Target:
    """A node, or a machine by its MAC; on the devices of the site's networks, or on those that are named.

    Raises NotFoundError for a node that there is not, and ProvisionerError for one without any address.
    """
    snapshot = served_snapshot(paths, catalogue(paths))
    macs, addresses = _identity(snapshot, name)
    own = net.addresses()
    heads = [network.head for network in snapshot.site.networks.values()]
    found = devices or tuple(dict.fromkeys(own[head] for head in heads if head in own))
    if not found:
        raise NotFoundError("no device of this machine is in a network of the site", hint="--device NAME")
    server = next((head for head in heads if own.get(head) in found), heads[0])
    return Target(name=name, macs=macs, addresses=addresses, devices=found, server=server)


def _identity(snapshot: Snapshot, name: str) -> tuple[tuple[MacAddress, ...], tuple[IPv4Address, ...]]:
    node = snapshot.nodes.get(name)
    if node is not None:
        macs = tuple(each.mac for each in node.interfaces if each.mac)
        addresses = tuple(each.ip.ip for each in node.interfaces if each.ip)
        if not macs and not addresses:
            raise ProvisionerError(
                f"{name} has neither a MAC nor an address", hint=f"prov node set {name} --mac MAC"
            )
        return macs, addresses
    try:
        return (MacAddress(name),), ()
    except ValueError:
        raise NotFoundError(f"there is no node {name}, and it is no MAC", hint="prov node list") from None


@dataclass
class Capture:
    """One capture. `lines` listens, writes the file, and gives the explanation as it comes."""

    paths: Paths
    target: Target
    wish: Wish
    account: Account = field(default_factory=Account)

    def lines(self, listening: Callable[[], None]) -> Generator[Line, None, None]:
        """Listen until the time is over or the file is full. Raises UnavailableError where that is not allowed.

        `listening` is called once nothing is missed any more: to get ready takes a while at a large site.
        """
        wanted = program((mac.octets for mac in self.target.macs), self.target.addresses)
        snapshot = served_snapshot(self.paths, catalogue(self.paths))
        loaders = read_loaders((self.paths.state / "loaders", *LOADER_FOLDERS))
        judges = judges_of(snapshot, catalogue(self.paths), self.target.server, loaders)
        reader = Reader(snapshot.site.ports, judges)
        with Sniffer(self.target.devices, wanted) as sniffer, _File(self.target, self.wish) as file:
            told = _Told(self.paths, self.target)
            listening()
            try:
                for heard in sniffer.frames(time.monotonic() + self.wish.seconds):
                    if heard is not None and (line := self._take(heard, reader, file)):
                        yield line
                    yield from told.new()
                    if file.is_full:
                        break
            finally:
                self.account.is_full = file.is_full
                self.account.dropped = sniffer.dropped()

    def _take(self, heard: Heard, reader: Reader, file: _File) -> Line | None:
        packet = parse(heard.data)
        said = reader.read(packet) if packet else None
        comment = "" if said is None else f"{said.text}{' | policy: ' + said.policy if said.policy else ''}"
        kept = heard.data if self.wish.secrets else _without_secrets(heard.data, packet)
        length = max(len(kept), packet.length if packet else len(heard.data))
        file.add(Captured(heard.time, self.target.devices.index(heard.device), kept, length, comment))
        self.account.frames += 1
        if said is None:
            return None
        way = "<" if heard.outgoing or (packet and packet.source[0] == self.target.server) else ">"
        return Line(heard.time / 1e9, way, said.service, said.text, said.policy)


def _without_secrets(frame: bytes, packet: Packet | None) -> bytes:
    """A frame as it may be shown to others; of data only the beginning, which also keeps the file small."""
    if packet is None:
        # What cannot be read may hold anything; ARP fits into this.
        return frame[:_SMALLEST_DATA]
    if packet.protocol is Protocol.TCP:
        return frame[: packet.offset] + masked(packet.payload)
    is_data = packet.payload[:2] == b"\x00\x03" and len(packet.payload) > _SMALLEST_DATA
    return frame[: packet.offset + _SMALLEST_DATA] if is_data else frame


class _Told:
    """What the daemon recorded of the machine since the beginning."""

    def __init__(self, paths: Paths, target: Target) -> None:
        self._history = History(paths.events)
        self._target = target
        self._seen = self._history.newest_id()
        self._asked = time.monotonic()
        self._addresses = frozenset(map(str, target.addresses))

    def new(self) -> Iterator[Line]:
        """The events since the last time; asked for four times a second at most."""
        if time.monotonic() - self._asked < 0.25:
            return
        self._asked = time.monotonic()
        for each in self._history.find_events(EventFilter(after=self._seen, limit=_MOST_EVENTS)):
            self._seen, event = each.id, each.event
            if self._is_about(event):
                yield Line(event.time, "=", "daemon", f"{event.name} {event.message}".rstrip())

    def _is_about(self, event: Event) -> bool:
        # Who comes with a token that is none is known by the address alone.
        by_address = event.node is None and event.mac is None and event.address in self._addresses
        return event.node == self._target.name or event.mac in self._target.macs or by_address


class _File:
    """The file of a capture, which only its owner can read; nothing where none is wanted."""

    def __init__(self, target: Target, wish: Wish) -> None:
        self._wish = wish
        self._is_old = wish.output is not None and wish.output.suffix == ".pcap"
        self._size = 0
        self._stream: IO[bytes] | None = None
        self.is_full = False
        if wish.output is not None:
            handle = os.open(wish.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._stream = os.fdopen(handle, "wb")
            start = pcap_start() if self._is_old else pcapng_start(target.devices, f"prov capture {target.name}")
            self._write(start)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def add(self, packet: Captured) -> None:
        """Write one packet, unless the file would become too large by it."""
        if self._stream is not None and not self.is_full:
            self._write(pcap_packet(packet) if self._is_old else pcapng_packet(packet))

    def _write(self, data: bytes) -> None:
        if self._stream is None or self._size + len(data) > self._wish.limit:
            self.is_full = True
            return
        self._size += len(data)
        self._stream.write(data)
