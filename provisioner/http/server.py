"""The HTTP server: the application put together, and its sockets."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import ssl
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from provisioner.boot.access import Denied, Resource
from provisioner.errors import ProvisionerError, UnavailableError
from provisioner.http.attestation import Attestation
from provisioner.http.authority import Authority
from provisioner.http.expectation import expect, expecting
from provisioner.http.guard import IDLE, Allowance, Guard, guard_of
from provisioner.http.logs import Logs
from provisioner.http.refusal import Refusal
from provisioner.http.report import MAX_BODY
from provisioner.http.reports import Reports
from provisioner.http.runtime import RuntimeOverlays
from provisioner.http.scripts import Scripts
from provisioner.http.single import NodeArchives
from provisioner.http.site import HttpSite
from provisioner.http.survey import Survey
from provisioner.http.tokens import Fetches, Gate
from provisioner.model.event import Event, Level, Stage
from provisioner.render.environment import RenderError
from provisioner.trust.tls import Certificate

logger = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_GRACE = 2.0
# A room full of machines connects within a second.
_BACKLOG = 4096
_HANDSHAKE = 10.0
_LOOK = 6 * 3600.0


def application(site: HttpSite) -> web.Application:
    """The whole service as one aiohttp application."""
    gate = Gate(site)

    async def nowhere(request: web.Request) -> web.StreamResponse:
        path = request.path.strip("/")
        wanted = path.removeprefix("t/").strip("/")
        if wanted in set(Resource):
            gate.deny(request, wanted, Denied("the request carries no token"), None)
        raise web.HTTPNotFound(text=f"there is nothing at /{path}\n")

    app = web.Application(middlewares=[_guarded, _explaining(site)], client_max_size=MAX_BODY)
    runtime = RuntimeOverlays(site, gate)
    fetches = Fetches(site, gate)
    scripts, archives, reports = Scripts(site), NodeArchives(site, gate), Reports(site, gate)
    survey, logs, refusal = Survey(site, gate, fetches.sender), Logs(site, gate), Refusal(site, gate)
    rest = (survey, refusal, Attestation(site, gate), Authority(site))
    for part in (scripts, fetches, archives, runtime, reports, logs, *rest):
        app.add_routes(expecting(part.routes()))
    app.on_shutdown.append(runtime.release)
    app.on_cleanup.append(fetches.release)
    app.router.add_route("*", "/{path:.*}", nowhere, expect_handler=expect)
    return app


@web.middleware
async def _guarded(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Tell the guard of the connection where its client stands."""
    guard = guard_of(request)
    if guard is None:
        return await handler(request)
    guard.asked(body=request.body_exists)
    try:
        return await handler(request)
    finally:
        guard.answered()


def _explaining(site: HttpSite) -> Middleware:
    @web.middleware
    async def explain(request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Turn our errors into answers with a body: a 404 without one made firmware hang for good."""
        site.tally.add("http_requests", _label(request))
        try:
            return await handler(request)
        except ProvisionerError as error:
            site.record(_failure(site, request, error))
            return web.Response(status=_status_of(error), text=f"{error.message}\n")
        except web.RequestPayloadError:
            return web.Response(status=400, text="the body is not what the headers of the request say\n")

    return explain


def _label(request: web.Request) -> str:
    """What a request asks for, in words of this program."""
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else ""
    if path.startswith("/t/{token}/"):
        return path.removeprefix("/t/{token}/")
    return {
        "/boot/{mac}": "script",
        "/loader/{name}": "loader",
        "/tool/{name}": "loader",
        "/survey/{name}": "survey",
    }.get(path, "other")


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


# No HTTP, a body that is not what it says, and a client that hung up before its answer.
_OF_STRANGERS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a record is about this program: what strangers send that is not HTTP must not fill the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], _OF_STRANGERS))


def _most_connections() -> int:
    """Most of the files that this process may have open: the rest is for all else that it does."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most * 4 // 5


class HttpServer:
    """Listens on addresses of the head node."""

    def __init__(self, site: HttpSite, *, hosts: list[str], port: int, tls_port: int = 0) -> None:
        protocol_log = logging.getLogger(f"{__name__}.protocol")
        protocol_log.addFilter(_is_ours)
        self._runner = web.AppRunner(
            application(site),
            access_log=None,
            logger=protocol_log,
            shutdown_timeout=_GRACE,
            keepalive_timeout=IDLE,
        )
        self._guard = Guard(site.tally, Allowance(in_all=_most_connections()))
        self._servers: list[asyncio.Server] = []
        self._site = site
        self._hosts = hosts
        self._port, self._tls_port = port, tls_port
        self._renewing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the sockets. UnavailableError where a port is taken, ConfigError for a certificate without use."""
        await self._runner.setup()
        for host in self._hosts:
            await self._listen(host, self._port, "http", None)
        if self._tls_port and self._site.tls is not None:
            await self._refresh(self._site.tls)
            for host in self._hosts:
                await self._listen(host, self._tls_port, "https", self._site.tls.context)
            self._renewing = asyncio.create_task(self._renew(self._site.tls))

    async def _listen(self, host: str, port: int, setting: str, context: ssl.SSLContext | None) -> None:
        factory = self._guard.over(cast("web.Server", self._runner.server))
        patience = _HANDSHAKE if context else None
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                factory, host, port, backlog=_BACKLOG, ssl=context, ssl_handshake_timeout=patience
            )
        except OSError as error:
            # asyncio puts a longer text in the place of the system's own.
            raise UnavailableError(
                f"{setting.upper()} cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}",
                hint=f"see who does: ss -ltnp 'sport = :{port}'; or set ports.{setting}",
            ) from error
        self._servers.append(server)
        logger.info("%s on %s port %d", setting.upper(), host, port)

    async def _renew(self, tls: Certificate) -> None:
        """Look at the certificate now and then. What is shown already stays good meanwhile."""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self._refresh(tls)
            except (ProvisionerError, OSError) as error:
                self._tell(f"the certificate is not renewed: {error}", Level.WARNING)

    async def _refresh(self, tls: Certificate) -> None:
        if await asyncio.to_thread(tls.refresh, self._site.now()):
            self._tell("a new certificate is shown to those who come by TLS", Level.INFO)

    def _tell(self, message: str, level: Level) -> None:
        logger.info("%s", message)
        self._site.record(Event(self._site.now(), Stage.SITE, "site.certificate", message, level))

    async def close(self) -> None:
        """Close the sockets; transfers under way get a moment to end."""
        if self._renewing is not None:
            self._renewing.cancel()
        for server in self._servers:
            server.close()
        await self._runner.cleanup()
