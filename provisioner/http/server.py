"""The HTTP server: the application put together, and its sockets."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from provisioner.boot.access import Denied, Resource
from provisioner.errors import ProvisionerError, UnavailableError
from provisioner.http.report import MAX_BODY
from provisioner.http.reports import Reports
from provisioner.http.runtime import RuntimeOverlays
from provisioner.http.scripts import Scripts
from provisioner.http.site import HttpSite
from provisioner.http.tokens import Fetches, Gate
from provisioner.model.event import Event, Level, Stage
from provisioner.render.environment import RenderError

logger = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_GRACE = 2.0


def application(site: HttpSite) -> web.Application:
    """The whole service as one aiohttp application."""
    gate = Gate(site)

    @web.middleware
    async def explain(request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Turn our errors into answers with a body: a 404 without one made firmware hang for good."""
        try:
            return await handler(request)
        except ProvisionerError as error:
            site.record(_failure(site, request, error))
            return web.Response(status=_status_of(error), text=f"{error.message}\n")

    async def nowhere(request: web.Request) -> web.StreamResponse:
        path = request.path.strip("/")
        wanted = path.removeprefix("t/").strip("/")
        if wanted in set(Resource):
            gate.deny(request, wanted, Denied("the request carries no token"), None)
        raise web.HTTPNotFound(text=f"there is nothing at /{path}\n")

    app = web.Application(middlewares=[explain], client_max_size=MAX_BODY)
    runtime = RuntimeOverlays(site, gate)
    for part in (Scripts(site), Fetches(site, gate), runtime, Reports(site, gate)):
        app.add_routes(part.routes())
    app.on_shutdown.append(runtime.release)
    app.router.add_route("*", "/{path:.*}", nowhere)
    return app


def _status_of(error: ProvisionerError) -> int:
    # A boot holds to its revision, so a template that fails now fails for this boot for good: stage 1 gives up
    # and starts over, with what is written by then. Everything else may be better in a moment.
    return 422 if isinstance(error, RenderError) else 503


def _failure(site: HttpSite, request: web.Request, error: ProvisionerError) -> Event:
    return Event(
        time=site.now(),
        stage=Stage.SITE,
        name="http.failed",
        message=f"{request.path.rsplit('/', 1)[-1]}: {error.message}",
        level=Level.FAILURE,
        address=request.remote,
    )


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a record is about this program: what strangers send that is not HTTP must not fill the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


class HttpServer:
    """Listens on addresses of the head node."""

    def __init__(self, site: HttpSite, *, hosts: list[str], port: int) -> None:
        protocol_log = logging.getLogger(f"{__name__}.protocol")
        protocol_log.addFilter(_is_ours)
        self._runner = web.AppRunner(
            application(site), access_log=None, logger=protocol_log, shutdown_timeout=_GRACE
        )
        self._hosts = hosts
        self._port = port

    async def start(self) -> None:
        """Open the sockets. UnavailableError where another program has the port."""
        await self._runner.setup()
        for host in self._hosts:
            try:
                await web.TCPSite(self._runner, host, self._port, reuse_address=True, backlog=1024).start()
            except OSError as error:
                # asyncio puts a longer text in the place of the system's own.
                reason = os.strerror(error.errno or 0)
                raise UnavailableError(
                    f"HTTP cannot listen on {host} port {self._port}: {reason}",
                    hint=f"see who does: ss -ltnp 'sport = :{self._port}'; or set ports.http",
                ) from error
            logger.info("HTTP on %s port %d", host, self._port)

    async def close(self) -> None:
        """Close the sockets; transfers under way get a moment to end."""
        await self._runner.cleanup()
