"""The route of the runtime overlays: conditional (RFC 9110 section 13), held until there is news (RFC 7240)."""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from provisioner.boot.access import Resource
from provisioner.http.blob import Pieces
from provisioner.http.looks import Look
from provisioner.http.site import HttpSite
from provisioner.http.tokens import NOT_KEPT, Gate
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Stage
from provisioner.overlay.rendered import OverlayKind, RenderedOverlay, pack

MAX_WAIT = 60
"""Seconds that an answer is held back at most, whatever a node prefers."""

_PREFER = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])")
_SETTLED = frozenset({"ready", "degraded"})
# A boot that waits for its overlays stands behind so many looks of running nodes, and not behind ten thousand.
_LOOKS_AT_ONCE = 4
_NOTHING = pack([]).sha256


class RuntimeOverlays:
    """The handler of runtime overlays."""

    def __init__(self, site: HttpSite, gate: Gate) -> None:
        self._site = site
        self._gate = gate
        self._turn = asyncio.Semaphore(_LOOKS_AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part."""
        return [web.get("/t/{token}/overlay/runtime", self.fetch)]

    async def release(self, _app: web.Application) -> None:
        """Answer all who are held, so that the daemon can stop."""
        self._site.pokes.close()

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """The archive; 204 for a node without runtime overlays, 304 for one that has it already.

        With `Prefer: wait=SECONDS` the 304 is held back until something changes. A node that was pushed gets the
        archive in any case, so that it looks at every file again.
        """
        loop = asyncio.get_running_loop()
        known = request.headers.get("If-None-Match", "").strip('"')
        ends = loop.time() + _wait_of(request)
        pokes = self._site.pokes
        while True:
            _, record = self._gate.open(request, Resource.RUNTIME_OVERLAY)
            told, seen = pokes.take(record.node), self._current()
            digest = await self._digest(record)
            if digest == _NOTHING and known in ("", _NOTHING):
                return web.Response(status=204)
            if digest != known or told:
                return await self._send(request, record)
            left = ends - loop.time()
            if left <= 0 or pokes.closed:
                return web.Response(status=304, headers={"ETag": f'"{digest}"'})
            await pokes.wait(record.node, left, seen=seen, revision=self._current)

    def _current(self) -> str:
        return self._site.snapshot().revision

    def _revision(self, record: BootRecord) -> str:
        """A boot holds to its revision until it is over; a running node follows what is written."""
        snapshot = self._site.snapshot()
        follows = record.state in _SETTLED and record.node in snapshot.nodes
        return snapshot.revision if follows else record.revision

    async def _digest(self, record: BootRecord) -> str:
        """Remembered for each node, because the archives of a large site are not all kept."""
        revision = self._revision(record)
        look = self._site.looks.find(record.node, revision, record.generation)
        if look is None:
            look = self._looked(record, revision, await self._rendered(record, revision))
        return look.digest

    def _looked(self, record: BootRecord, revision: str, overlay: RenderedOverlay) -> Look:
        look = Look(revision, record.generation, overlay.sha256, self._site.now())
        return self._site.looks.add(record.node, look)

    async def _rendered(self, record: BootRecord, revision: str) -> RenderedOverlay:
        async with self._turn:
            rendering = self._site.rendering
            return await rendering.overlay(revision, record.node, OverlayKind.RUNTIME, record.generation)

    async def _send(self, request: web.Request, record: BootRecord) -> web.StreamResponse:
        revision = self._revision(record)
        overlay = await self._rendered(record, revision)
        # Another one than was looked at, where host keys were imported since: it would be sent for ever.
        self._looked(record, revision, overlay)
        event = Event(
            time=self._site.now(),
            stage=Stage.OVERLAY,
            name="overlay.sent",
            message=f"{OverlayKind.RUNTIME} overlay, revision {revision[:16]}",
            mac=record.mac,
            node=record.node,
            boot=record.id,
            address=request.remote,
            bytes=len(overlay.archive),
        )
        self._site.record(event)
        self._site.tally.add("http_bytes", Resource.RUNTIME_OVERLAY.value, len(overlay.archive))
        headers = {"ETag": f'"{overlay.sha256}"', **NOT_KEPT}
        return Pieces(overlay.archive, content_type="application/x-cpio", headers=headers)


def _wait_of(request: web.Request) -> int:
    found = _PREFER.search(request.headers.get("Prefer", ""))
    return min(int(found[1]), MAX_WAIT) if found else 0
