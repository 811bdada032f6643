"""The route by which a loader tells that the firmware does not start what it has loaded."""

from __future__ import annotations

from aiohttp import web

from provisioner.boot.access import Resource
from provisioner.http.site import HttpSite
from provisioner.http.tokens import Gate
from provisioner.model.event import Event, Level, Stage

REASON = "the firmware does not start kernel and stage 1"
"""How the reason of such a boot begins."""


class Refusal:
    """The handler. A machine tells this by its token; whoever can alter its packets can keep it silent."""

    def __init__(self, site: HttpSite, gate: Gate) -> None:
        self._site = site
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part. A HEAD must not end a boot."""
        return [web.get("/t/{token}/refused", self.refused, allow_head=False)]

    async def refused(self, request: web.Request) -> web.Response:
        """The unified kernel image does not start: the boot has failed. The answer is for nobody."""
        _, record = self._gate.open(request, Resource.REFUSED)
        site = self._site
        reason = f"{REASON} of {record.generation}: altered, or signed by a key that it does not know"
        event = Event(
            time=site.now(),
            stage=Stage.KERNEL,
            name="uki.refused",
            message=reason,
            level=Level.FAILURE,
            mac=record.mac,
            node=record.node,
            boot=record.id,
            address=request.remote,
        )
        site.record(event)
        site.ledger.settle(record, "failed", now=site.now(), reason=reason)
        await site.recorder.flush()
        return web.Response(text="noted\n")
