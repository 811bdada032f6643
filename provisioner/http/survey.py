"""Routes of stage 1 where it looks at a machine: one that is no node, and one that is."""

from __future__ import annotations

import asyncio

from aiohttp import web

from provisioner.boot.access import Resource
from provisioner.boot.policy import surveyor
from provisioner.errors import ProtocolError
from provisioner.http.blob import Blob
from provisioner.http.conditions import part_of
from provisioner.http.report import parse_facts
from provisioner.http.sender import Sender
from provisioner.http.site import HttpSite
from provisioner.http.tokens import Gate
from provisioner.model.address import MacAddress
from provisioner.model.image import Artifact

MAX_BODY = 16 << 10


class Survey:
    """Handlers. Without `discovery.image` there is nothing here for a machine that is no node.

    What a machine that is no node tells is kept only while it waits in the inbox, which is bounded. It shows no
    token: anybody in its network could tell the same.
    """

    def __init__(self, site: HttpSite, gate: Gate, sender: Sender) -> None:
        self._site = site
        self._gate = gate
        self._sender = sender

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part."""
        return [
            web.get("/survey/{name}", self.artifact),
            web.post("/survey/{mac}", self.machine),
            web.post("/t/{token}/hardware", self.node),
        ]

    async def artifact(self, request: web.Request) -> web.StreamResponse:
        """Kernel or stage 1 of the image of discovery: they hold nothing of any node."""
        generation = surveyor(self._site.snapshot(), self._site.catalogue())
        name = request.match_info["name"]
        found: Artifact | None = None
        if generation is not None and name in {"kernel", "stage1"}:
            found = generation.boot_set.kernel if name == "kernel" else generation.boot_set.stage1
        if found is None:
            raise web.HTTPNotFound(text=f"there is no {name} for machines that are no nodes\n")
        part = part_of(request.headers, found.size, found.digest, method=request.method)
        path = self._site.artifact(found.digest)
        return Blob(path, found.digest, part, sender=self._sender, sent=self._count)

    def _count(self, count: int | None, seconds: float) -> None:
        del seconds
        self._site.tally.add("http_bytes", "survey", count or 0)

    async def machine(self, request: web.Request) -> web.Response:
        """What a machine is that is no node; the answer says whether it is one by now, and restarts."""
        try:
            mac = MacAddress(request.match_info["mac"])
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        snapshot = self._site.snapshot()
        if mac in snapshot.by_mac:
            return web.Response(text="restart")
        if surveyor(snapshot, self._site.catalogue()) is None or not self._site.inbox.knows(mac):
            raise web.HTTPNotFound(text="nobody asked this machine\n")
        await self._keep(mac, request)
        return web.Response(text="wait")

    async def node(self, request: web.Request) -> web.Response:
        """What the machine of a node is."""
        _, record = self._gate.open(request, Resource.HARDWARE)
        await self._keep(record.mac, request)
        return web.Response(text="")

    async def _keep(self, mac: str, request: web.Request) -> None:
        if (request.content_length or 0) > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
        try:
            facts = parse_facts((await request.read())[:MAX_BODY])
        except ProtocolError as error:
            raise web.HTTPBadRequest(text=f"{error.message}\n") from None
        await asyncio.to_thread(self._site.steered.keep_hardware, mac, facts)
