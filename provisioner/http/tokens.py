"""Routes behind a token: kernel, stage 1, boot sheet, root image, overlays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from aiohttp import hdrs, web

from provisioner.boot.access import Denied, Resource, access, requester_of
from provisioner.boot.fitness import unpacked
from provisioner.errors import IntegrityError, ProvisionerError
from provisioner.http.blob import Blob, Pieces
from provisioner.http.conditions import part_of
from provisioner.http.guard import guard_of
from provisioner.http.release import Release
from provisioner.http.sender import Sender
from provisioner.http.site import HttpSite
from provisioner.http.streamtoken import stream_lines
from provisioner.http.turnstile import Turnstile
from provisioner.http.vouching import Vouching
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Level, Stage
from provisioner.model.image import Artifact, Generation
from provisioner.overlay.rendered import OverlayKind, RenderedOverlay
from provisioner.trust.token import Claims, TokenError

NOT_KEPT = {"Cache-Control": "no-store"}
"""What goes with an overlay: no proxy on the way may keep it (RFC 9111 section 5.2.2.5)."""

_LAST = 512

_STAGE_OF = {
    Resource.KERNEL: Stage.KERNEL,
    Resource.STAGE1: Stage.STAGE1,
    Resource.UKI: Stage.KERNEL,
    Resource.ARCHIVE: Stage.IMAGE,
    Resource.ROOT: Stage.IMAGE,
}


def _last_bytes(path: Path) -> bytes:
    """The end of a program that iPXE starts at once, and acknowledges no more: nobody shall wait for that."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LAST))
        return file.read()


class DeniedError(ProvisionerError):
    """A request that may not have what it asks for."""


class Gate:
    """Opens a token: verifies it, asks the access rule, and records every refusal."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site

    def open(self, request: web.Request, resource: Resource) -> tuple[Claims, BootRecord]:
        """Claims and boot of a request that may have the resource; HTTPForbidden with the reason otherwise."""
        try:
            found = self.admit(request.match_info["token"], request.remote, resource, way=request.method)
        except DeniedError as error:
            raise web.HTTPForbidden(text=f"{error.message}\n") from None
        if guard := guard_of(request):
            guard.trust()
        return found

    def admit(self, token: str, remote: str | None, resource: Resource, *, way: str) -> tuple[Claims, BootRecord]:
        """The same for any protocol, which `way` names for people; DeniedError with the reason otherwise."""
        try:
            claims = self._site.mint.verify(token, now=self._site.now())
        except TokenError as error:
            raise self._denied(f"{way} {resource}", Denied(error.message), None, remote) from None
        record = self._site.ledger.find(claims)
        requester = requester_of(claims, remote, self._site.snapshot())
        denied = access(claims, record, resource, requester=requester, now=self._site.now())
        if denied or record is None:
            raise self._denied(f"{way} {resource}", denied or Denied("no boot"), claims, remote)
        return claims, self._site.ledger.advance(record, claims.stage, now=self._site.now())

    def system_token(self, claims: Claims) -> str:
        """The token of the running system of a boot, a week from now."""
        expires = int(self._site.now()) + TokenStage.SYSTEM.lifetime
        return self._site.mint.issue(replace(claims, stage=TokenStage.SYSTEM, expires=expires, line=""))

    def deny(self, request: web.Request, resource: str, denied: Denied, claims: Claims | None) -> NoReturn:
        """Record a refusal and answer it."""
        error = self._denied(f"{request.method} {resource}", denied, claims, request.remote)
        raise web.HTTPForbidden(text=f"{error.message}\n")

    def _denied(self, what: str, denied: Denied, claims: Claims | None, remote: str | None) -> DeniedError:
        event = Event(
            time=self._site.now(),
            stage=Stage.SITE,
            name="access.denied",
            message=f"{what}: {denied.reason}",
            level=denied.level,
            mac=claims.mac if claims else None,
            node=claims.node if claims else None,
            boot=claims.boot if claims else None,
            address=remote,
        )
        self._site.record(event)
        return DeniedError(f"refused: {denied.reason}")


class Fetches:
    """Handlers of everything that a token fetches. `sender` sends files, for other handlers too."""

    def __init__(self, site: HttpSite, gate: Gate) -> None:
        self._site = site
        self._gate = gate
        self.sender = Sender()
        self._vouching = Vouching(site)
        self._release = Release(site)
        self._turnstile = Turnstile(site)

    async def release(self, _app: web.Application) -> None:
        """End the threads that send, so that the daemon can stop."""
        self.sender.close()

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part; without a token they are refused by name."""
        return [
            web.get("/t/{token}/kernel", self.kernel),
            web.get("/t/{token}/stage1", self.stage1),
            web.get("/t/{token}/uki", self.uki),
            web.get("/t/{token}/archive", self.archive),
            web.get("/t/{token}/root", self.root),
            web.get("/t/{token}/sheet", self.sheet),
            web.get("/t/{token}/overlay/system", self.system_overlay),
        ]

    async def kernel(self, request: web.Request) -> web.StreamResponse:
        """The kernel of the generation that the boot holds to."""
        return await self._artifact(request, Resource.KERNEL)

    async def stage1(self, request: web.Request) -> web.StreamResponse:
        """The stage-1 initramfs."""
        return await self._artifact(request, Resource.STAGE1, self._vouching.anchor)

    async def uki(self, request: web.Request) -> web.StreamResponse:
        """Kernel and stage 1 as one signed program, with the keys of the site in it."""
        return await self._artifact(request, Resource.UKI)

    async def archive(self, request: web.Request) -> web.StreamResponse:
        """The image as an initramfs."""
        return await self._artifact(request, Resource.ARCHIVE)

    async def root(self, request: web.Request) -> web.StreamResponse:
        """The root image; ranges are answered, so a broken transfer goes on where it ended."""
        return await self._artifact(request, Resource.ROOT)

    async def sheet(self, request: web.Request) -> web.Response:
        """The boot sheet: what stage 1 has to fetch and which digests it must find, as lines of key=value.

        It is signed for whoever sends a nonce, which is what makes an old sheet worthless.
        """
        claims, record = self._gate.open(request, Resource.SHEET)
        generation, nonce = self._generation(record), request.query.get("nonce")
        if reason := self._vouching.objection(generation, nonce):
            self._gate.deny(request, Resource.SHEET.value, Denied(reason), claims)
        root = generation.boot_set.root
        overlay = await self._overlay(request, record, claims)
        lines = {
            "node": record.node,
            "mac": record.mac,
            "boot": record.id,
            "generation": record.generation,
            "revision": record.revision,
            "root_size": root.size,
            "root_sha256": root.digest.removeprefix("sha256:"),
            "unpacked_size": unpacked(generation),
            "tree_size": generation.tree_size,
            "overlay_sha256": overlay.sha256,
            **stream_lines(self._site, claims, generation),
            **({"early_hooks": "yes"} if overlay.early_hooks else {}),
            **self._release.lines(request),
        }
        self._record(request, record, Stage.STAGE1, "sheet.sent", "boot sheet")
        return web.Response(text=self._vouching.sheet(lines, claims, nonce))

    async def system_overlay(self, request: web.Request) -> web.StreamResponse:
        """The archive of the system overlays."""
        claims, record = self._gate.open(request, Resource.SYSTEM_OVERLAY)
        overlay = await self._overlay(request, record, claims)
        archive = await self._release.archive(request, record, overlay)
        self._site.tally.add("http_bytes", Resource.SYSTEM_OVERLAY.value, len(archive))
        message = f"{OverlayKind.SYSTEM} overlay, revision {record.revision[:16]}"
        self._record(request, record, Stage.OVERLAY, "overlay.sent", message, size=len(archive))
        headers = {"ETag": f'"{overlay.sha256}"', **NOT_KEPT}
        return Pieces(archive, content_type="application/x-cpio", headers=headers)

    async def _overlay(self, request: web.Request, record: BootRecord, claims: Claims) -> RenderedOverlay:
        overlay = await self._site.rendering.overlay(
            record.revision, record.node, OverlayKind.SYSTEM, record.generation
        )
        if reason := self._release.objection(request, record, overlay):
            what = request.path.partition(request.match_info["token"])[2].strip("/")
            self._gate.deny(request, what, Denied(reason), claims)
        return overlay

    async def _artifact(
        self,
        request: web.Request,
        resource: Resource,
        follow: Callable[[BootRecord, Artifact], bytes] = lambda *_: b"",
    ) -> web.StreamResponse:
        _, record = self._gate.open(request, resource)
        artifact = self._generation(record).artifacts.get(resource.value)
        if artifact is None:
            raise web.HTTPNotFound(text=f"{record.generation} has no {resource}\n")
        tail = follow(record, artifact)
        tag = artifact.digest + (f"+{sha256(tail).hexdigest()[:16]}" if tail else "")
        part = part_of(request.headers, artifact.size + len(tail), tag, method=request.method)
        path = self._site.artifact(artifact.digest)
        if not path.is_file():
            raise IntegrityError(
                f"the {resource} of {record.generation} is missing in the store ({artifact.digest})"
            )

        def sent(count: int | None, seconds: float) -> None:
            stage, what = _STAGE_OF[resource], f"{resource} of {record.generation}"
            if count is None:
                broken, level = f"{what}: transfer broke off", Level.WARNING
                self._record(request, record, stage, f"{resource}.broken", broken, seconds=seconds, level=level)
            else:
                self._site.tally.add("http_bytes", resource.value, count)
                self._record(request, record, stage, f"{resource}.sent", what, size=count, seconds=seconds)

        turn = None
        if part is not None and resource is Resource.ROOT and request.method == hdrs.METH_GET:
            turn = await self._turnstile.enter(request, record, part)
        if resource is Resource.UKI:
            tail = await asyncio.to_thread(_last_bytes, path)
        return Blob(path, tag, part, sender=self.sender, sent=sent, turn=turn, tail=tail)

    def _generation(self, record: BootRecord) -> Generation:
        generation = self._site.catalogue().find(record.generation)
        if generation is None:
            raise IntegrityError(f"{record.generation}, which boot {record.id} holds to, is gone from the store")
        return generation

    def _record(
        self,
        request: web.Request,
        record: BootRecord,
        stage: Stage,
        name: str,
        message: str,
        *,
        size: int | None = None,
        seconds: float | None = None,
        level: Level = Level.INFO,
    ) -> None:
        event = Event(
            time=self._site.now(),
            stage=stage,
            name=name,
            message=message,
            level=level,
            mac=record.mac,
            node=record.node,
            boot=record.id,
            address=request.remote,
            bytes=size,
            seconds=seconds,
        )
        self._site.record(event)
