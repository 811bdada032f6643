"""Admission of root images in the service: asks the queue of a network, holds who is next, paces who goes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from ipaddress import ip_address

from aiohttp import web

from provisioner.boot.admission import IMAGE_SHARE, Admitted, Limits, Line, Waiting
from provisioner.http.conditions import Part
from provisioner.http.sender import pace
from provisioner.http.site import HttpSite
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Stage

PLACE, SECONDS = "X-Queue-Place", "X-Queue-Seconds"
"""Headers of an answer to a boot that has to wait: its place from 1, and about how many seconds it will take."""

_HOLD = 5.0
_SWEEP = 1.0
_MOST_AT_ONCE = 4


class _Gateway:
    """One line, who is held for it, and the connections that carry its images."""

    def __init__(self) -> None:
        self.line = Line(Limits())
        self.held: dict[str, asyncio.Event] = {}
        self.running: dict[str, list[asyncio.BaseTransport]] = {}
        self.told: dict[str, str] = {}
        self.swept = 0.0

    def let_in(self) -> None:
        """Wake those whose turn has come."""
        for boot in [each for each in self.held if self.line.holds(each)]:
            self.held.pop(boot).set()

    def pace(self) -> None:
        """Share the link among those under way."""
        rates = self.line.rates()
        for boot, transports in self.running.items():
            for each in transports:
                pace(each, rates.get(boot))

    def sweep(self, now: float) -> None:
        """Forget, once in a while, who is not heard of any more."""
        if now - self.swept > _SWEEP:
            self.swept = now
            self.line.forget(now)
            self.told = {boot: rack for boot, rack in self.told.items() if self.line.knows(boot, rack)}


class Turnstile:
    """Lets root images through to what the links of the head node carry."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site
        self._gateways: dict[str, _Gateway] = {}

    async def enter(self, request: web.Request, record: BootRecord, part: Part) -> AbstractContextManager[object]:
        """What to enter while an image is sent; HTTPServiceUnavailable with place and estimate where it waits.

        Who is near the front is held back for a few seconds, so that no slot is idle until it asks again.
        """
        network = self._network(request)
        limits = self._limits(network)
        if limits == Limits():
            return nullcontext()
        gateway = self._gateways.setdefault(network, _Gateway())
        gateway.line.limits = limits
        rack = self._rack(record)
        verdict = self._ask(gateway, record, rack, part.size)
        if isinstance(verdict, Waiting) and verdict.near:
            await self._hold(gateway, record.id)
            verdict = self._ask(gateway, record, rack, part.size)
        if isinstance(verdict, Waiting):
            self._site.tally.add("http_refused", "image waits")
            raise self._told(request, gateway, (record, rack), verdict)
        if record.id in gateway.told:
            del gateway.told[record.id]
            message = f"its turn came after {verdict.waited:.0f} s"
            self._record(request, record, "image.admitted", message, seconds=verdict.waited)
        if len(gateway.running.get(record.id, ())) >= _MOST_AT_ONCE:
            self._site.tally.add("http_refused", "too many transfers")
            raise web.HTTPServiceUnavailable(text="this boot fetches its image several times already\n")
        return self._passage(gateway, record.id, request, last=part.is_last)

    def _ask(self, gateway: _Gateway, record: BootRecord, rack: str, size: int) -> Admitted | Waiting:
        now = asyncio.get_running_loop().time()
        gateway.sweep(now)
        verdict = gateway.line.ask(record.id, rack, size, now=now)
        gateway.let_in()
        return verdict

    async def _hold(self, gateway: _Gateway, boot: str) -> None:
        turn = gateway.held.setdefault(boot, asyncio.Event())
        with suppress(TimeoutError):
            await asyncio.wait_for(turn.wait(), _HOLD)
        gateway.held.pop(boot, None)

    def _told(
        self, request: web.Request, gateway: _Gateway, asker: tuple[BootRecord, str], verdict: Waiting
    ) -> web.HTTPServiceUnavailable:
        record, rack = asker
        seconds = math.ceil(verdict.seconds)
        text = f"the root image waits: place {verdict.place} of {gateway.line.waiting}, about {seconds} s\n"
        if record.id not in gateway.told:
            gateway.told[record.id] = rack
            data = {"place": verdict.place, "estimate": seconds}
            self._record(request, record, "image.waiting", text.strip(), data=data)
        again = 0 if verdict.near else math.ceil(verdict.again)
        headers = {"Retry-After": str(again), PLACE: str(verdict.place), SECONDS: str(seconds)}
        return web.HTTPServiceUnavailable(text=text, headers=headers)

    @contextmanager
    def _passage(self, gateway: _Gateway, boot: str, request: web.Request, *, last: bool) -> Iterator[None]:
        transport, loop = request.transport, asyncio.get_running_loop()
        if transport is None or not gateway.line.began(boot):
            raise ConnectionResetError("the client went away")
        gateway.running.setdefault(boot, []).append(transport)
        gateway.pace()
        complete = False
        try:
            yield
            complete = last
        finally:
            gateway.running[boot].remove(transport)
            if not gateway.running[boot]:
                del gateway.running[boot]
            # The next answer on this connection is none of images.
            pace(transport, None)
            gateway.line.ended(boot, complete=complete, now=loop.time())
            gateway.let_in()
            gateway.pace()

    def _network(self, request: web.Request) -> str:
        """The network by whose address the client came: its link is the one that carries the image."""
        snapshot = self._site.snapshot()
        own = request.transport.get_extra_info("sockname")[0] if request.transport else "0.0.0.0"  # noqa: S104 - of nobody
        found = snapshot.network_of(ip_address(own))
        return found[0] if found else next(iter(snapshot.site.networks))

    def _limits(self, network: str) -> Limits:
        site = self._site.snapshot().site
        written = site.networks[network].link if network in site.networks else None
        link = written.bits if written is not None else self._site.link_of(network)
        rack = site.pace.each.bits if site.pace is not None else None
        return Limits(link * IMAGE_SHARE / 8 if link else None, rack * IMAGE_SHARE / 8 if rack else None)

    def _rack(self, record: BootRecord) -> str:
        snapshot = self._site.snapshot()
        by, node = snapshot.site.pace, snapshot.nodes.get(record.node)
        return node.tags.get(by.tag, "") if by is not None and node is not None else ""

    def _record(
        self,
        request: web.Request,
        record: BootRecord,
        name: str,
        message: str,
        *,
        seconds: float | None = None,
        data: Mapping[str, object] | None = None,
    ) -> None:
        event = Event(
            time=self._site.now(),
            stage=Stage.IMAGE,
            name=name,
            message=message,
            mac=record.mac,
            node=record.node,
            boot=record.id,
            address=request.remote,
            seconds=seconds,
            data=data or {},
        )
        self._site.record(event)
