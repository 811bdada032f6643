"""The route on which stage 1 sends what it and its kernel logged."""

from __future__ import annotations

import asyncio

from aiohttp import web

from provisioner.boot.access import Resource
from provisioner.events.bootlogs import MOST_PACKED
from provisioner.http.site import HttpSite
from provisioner.http.tokens import Gate


class Logs:
    """The handler of logs. What comes is kept as it is and never unpacked here."""

    def __init__(self, site: HttpSite, gate: Gate) -> None:
        self._site = site
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part."""
        return [web.post("/t/{token}/log", self.log)]

    async def log(self, request: web.Request) -> web.Response:
        """Keep a log; 413 for one that is too large."""
        _, record = self._gate.open(request, Resource.LOG)
        packed = await _bounded(request)
        await asyncio.to_thread(self._site.steered.keep_log, record.id, packed)
        return web.Response(text="")


async def _bounded(request: web.Request) -> bytes:
    # The limit of the service is that of reports, which request.read() holds to.
    packed = bytearray()
    async for piece in request.content.iter_any():
        packed += piece
        if len(packed) > MOST_PACKED:
            raise web.HTTPRequestEntityTooLarge(MOST_PACKED, len(packed))
    return bytes(packed)
