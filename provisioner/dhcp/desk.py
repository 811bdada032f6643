"""Datagrams in, replies and events out: codec, policy and leases together, without a socket."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import NamedTuple

from provisioner.boot.attempts import Attempts
from provisioner.boot.loader import NOT_LOOKED_AT, Shelf
from provisioner.dhcp.answer import Answer
from provisioner.dhcp.case import Context
from provisioner.dhcp.client import Program
from provisioner.dhcp.codec import decode, encode
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import answer
from provisioner.dhcp.remembered import Finished, Remembered, readdressed
from provisioner.dhcp.reply import Target, destination
from provisioner.dhcp.report import Throttle, events_of, malformed, stuck, told_again
from provisioner.errors import ProtocolError
from provisioner.model.address import MacAddress
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event
from provisioner.model.snapshot import Snapshot


class Outcome(NamedTuple):
    """What comes of one datagram: `name` counts it, `reply` is sent to `target`, and the events are recorded."""

    name: str
    events: tuple[Event, ...]
    reply: bytes | None = None
    target: Target | None = None


class Desk:
    """Answers the datagrams of one interface, whose own address is `server`; keeps the leases of its pools.

    `boot_service` says that they come to port 4011, where replies go to the port that was asked from. `shelf`
    are the loaders that there are, and `attempts` those that were given in vain. `beside` names other networks of
    the interface. `steady` gives seconds of a clock that nobody sets, by which leases end; without it they end by
    the time that each message comes with.
    """

    def __init__(
        self,
        server: IPv4Address,
        http_port: int,
        *,
        boot_service: bool = False,
        shelf: Shelf = NOT_LOOKED_AT,
        attempts: Attempts | None = None,
        beside: frozenset[str] = frozenset(),
        steady: Callable[[], float] | None = None,
    ) -> None:
        self.leases = Leases()
        self._shelf = shelf
        self._attempts = attempts or Attempts()
        self._server = server
        self._http_port = http_port
        self._boot_service = boot_service
        self._beside = beside
        self._steady = steady
        self._remembered = Remembered()
        self._throttle = Throttle()

    def handle(
        self, data: bytes, source: tuple[str, int], site: tuple[Snapshot, Catalogue], *, now: float
    ) -> Outcome:
        """What comes of a datagram from an address and port, at a time in Unix seconds; none raises."""
        finished = self._remembered.find(data, *site)
        if finished is not None and self._holds(finished):
            outcome = self._again(finished, data, now)
        else:
            context = Context(
                *site,
                self._server,
                self._http_port,
                self.leases,
                self._steady() if self._steady else now,
                self._boot_service,
                self._shelf,
                self._attempts.step,
                self._beside,
            )
            outcome = self._decided(data, source[0], context, now)
        if self._boot_service and outcome.target is not None:
            return outcome._replace(target=outcome.target._replace(port=source[1]))
        return outcome

    def _holds(self, finished: Finished) -> bool:
        """Whether the loader in a finished answer is still the one that its machine is to get."""
        return finished.loads is None or self._attempts.step(finished.loads) == finished.step

    def _again(self, finished: Finished, data: bytes, now: float) -> Outcome:
        if finished.drop is not None:
            self.leases.drop(finished.drop)
        events = tuple([told_again(event, now) for event in finished.events])
        events += self._count(finished.name, finished.loads, events, now)
        return Outcome(finished.name, events, readdressed(finished.reply, data), finished.target)

    def _decided(self, data: bytes, source: str, context: Context, now: float) -> Outcome:
        try:
            message = decode(data)
        except ProtocolError as error:
            told = (malformed(source, error.message, now),) if self._throttle.allows(source, now) else ()
            return Outcome("malformed", told)
        decided = answer(message, context)
        self._remember(decided)
        if decided.reply is None:
            client = decided.client.machine.mac if decided.client else source
            told_lately = not self._throttle.allows((client, decided.name, decided.reason), now)
            return Outcome(decided.name, () if told_lately else tuple(events_of(message, decided, now)))
        reply, target = encode(decided.reply), destination(decided.reply)
        events = tuple(events_of(message, decided, now))
        loads = _who_loads(decided)
        if decided.lasting:
            step = self._attempts.step(loads) if loads else 0
            finished = Finished(reply, target, decided.name, events, decided.drop, loads, step)
            self._remembered.keep(data, finished)
        return Outcome(decided.name, events + self._count(decided.name, loads, events, now), reply, target)

    def _count(
        self, name: str, loads: MacAddress | None, events: tuple[Event, ...], now: float
    ) -> tuple[Event, ...]:
        """Note that firmware is sent to a loader; the event that says so where the one before came to nothing."""
        if name != "ack" or loads is None or not self._attempts.gave(loads, now=now):
            return ()
        return (stuck(loads, events[-1].node if events else None, now),)

    def _remember(self, decided: Answer) -> None:
        if decided.drop is not None:
            self.leases.drop(decided.drop)
        if decided.keep is not None:
            self.leases.keep(decided.keep)


def _who_loads(decided: Answer) -> MacAddress | None:
    """The machine whose firmware this answer sends to a loader."""
    if decided.reply is None or decided.client is None or not decided.reply.file:
        return None
    is_firmware = decided.client.program in (Program.PXE, Program.HTTP)
    return decided.client.machine.mac if is_firmware else None
