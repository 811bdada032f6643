"""The route of the certificate authority, which stage 1 fetches before it speaks TLS."""

from __future__ import annotations

import asyncio

from aiohttp import web

from provisioner.http.site import HttpSite


class Authority:
    """Gives out what a client has to trust."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part."""
        return [web.get("/ca.pem", self.certificate)]

    async def certificate(self, _: web.Request) -> web.Response:
        """The authority's certificate. Whoever fetches it without TLS trusts whoever answers, this once."""
        if self._site.tls is None:
            raise web.HTTPNotFound(text="this site does not speak TLS: set ports.https\n")
        text = await asyncio.to_thread(self._site.tls.authority, self._site.now())
        return web.Response(body=text, content_type="application/x-pem-file")
