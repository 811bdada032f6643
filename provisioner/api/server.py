"""The control socket: versioned JSON for the command line, and later the body of the REST API."""

from __future__ import annotations

import json
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from aiohttp import web

from provisioner.errors import UnavailableError

logger = logging.getLogger(__name__)

# struct ucred of unix(7): process, user and group of the peer.
_CREDENTIALS = struct.Struct("3i")
_LONGEST_PATH = 107

Status = Callable[[], Mapping[str, object]]
Reload = Callable[[], Awaitable[None]]
Runtime = Callable[[], Mapping[str, object]]
Push = Callable[[Sequence[str]], Mapping[str, object]]


class ControlServer:
    """Answers on the Unix socket of a site.

    `status` gives what is served now, `reload` reads the files again, `push` has nodes look at their
    runtime overlays, `runtime` tells what was last made of them for each.
    """

    def __init__(self, path: Path, *, status: Status, reload: Reload, push: Push, runtime: Runtime) -> None:
        self._path = path
        self._status = status
        self._reload = reload
        self._push = push
        self._runtime = runtime
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/status", self._get_status),
                web.get("/v1/runtime", self._get_runtime),
                web.post("/v1/reload", self._post_reload),
                web.post("/v1/push", self._post_push),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def start(self) -> None:
        """Listen; a socket that a killed daemon left behind is replaced.

        UnavailableError for a path too long, and where no socket can be made.
        """
        if len(str(self._path)) > _LONGEST_PATH:
            hint = "use a shorter --root"
            raise UnavailableError(f"{self._path} is longer than a Unix socket's path may be", hint=hint)
        await self._runner.setup()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            await web.UnixSite(self._runner, str(self._path)).start()
            self._path.chmod(0o660)
        except OSError as error:
            hint = f"commands speak to the daemon there: make {self._path.parent} writable (usually a tmpfs)"
            message = f"the control socket {self._path} cannot be made: {error.strerror}"
            raise UnavailableError(message, hint=hint) from None

    async def close(self) -> None:
        """Stop listening and take the socket away."""
        await self._runner.cleanup()
        self._path.unlink(missing_ok=True)

    async def _get_status(self, _request: web.Request) -> web.Response:
        return web.json_response(dict(self._status()))

    async def _get_runtime(self, _request: web.Request) -> web.Response:
        return web.json_response(dict(self._runtime()))

    async def _post_reload(self, request: web.Request) -> web.Response:
        logger.info("reload asked for by user %d", _user(request))
        await self._reload()
        return web.json_response(dict(self._status()))

    async def _post_push(self, request: web.Request) -> web.Response:
        try:
            names = [str(name) for name in json.loads(await request.read())["nodes"]]
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest(text='expected {"nodes": [NAME, ...]}\n') from None
        logger.info("push to %d nodes asked for by user %d", len(names), _user(request))
        return web.json_response(dict(self._push(names)))


def _user(request: web.Request) -> int:
    opened = request.transport.get_extra_info("socket") if request.transport else None
    if opened is None:
        return -1
    data = opened.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])
