"""The listener of the metrics page, apart from what nodes can reach."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence

from aiohttp import web

from provisioner.errors import ProvisionerError, UnavailableError
from provisioner.model.address import Address

logger = logging.getLogger(__name__)

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Answers `GET /metrics` with what `page` gives; one page is made at a time, in a thread."""

    def __init__(self, page: Callable[[], bytes], *, hosts: Sequence[Address], port: int) -> None:
        self._page = page
        self._hosts = hosts
        self._port = port
        self._one = asyncio.Lock()
        app = web.Application(client_max_size=1024)
        app.add_routes([web.get("/metrics", self._get)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def start(self) -> None:
        """Open the sockets. UnavailableError where this machine lacks an address, or the port is taken."""
        await self._runner.setup()
        for host in self._hosts:
            try:
                await web.TCPSite(self._runner, str(host), self._port, reuse_address=True).start()
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                raise UnavailableError(
                    f"metrics cannot listen on {host} port {self._port}: {reason}",
                    hint="set metrics.listen to addresses of this machine, or ports.metrics to another port",
                ) from error
            logger.info("metrics on %s port %d", host, self._port)

    async def close(self) -> None:
        """Close the sockets."""
        await self._runner.cleanup()

    async def _get(self, _request: web.Request) -> web.Response:
        async with self._one:
            try:
                body = await asyncio.to_thread(self._page)
            except ProvisionerError as error:
                return web.Response(status=503, text=f"{error.message}\n")
        return web.Response(body=body, headers={"Content-Type": _TYPE})
