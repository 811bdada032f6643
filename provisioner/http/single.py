"""The route of what a node gets beside an image that is its initramfs: its own archive, with its next token in it.

There is no stage 1 that could report and be answered, so the token of the running system goes along with the files
of the node. It is good at once; the first word of the system closes the script.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from provisioner.boot.access import Denied, Resource
from provisioner.errors import UnavailableError
from provisioner.http.blob import Pieces
from provisioner.http.release import Release
from provisioner.http.site import HttpSite
from provisioner.http.tokens import NOT_KEPT, Gate
from provisioner.model.address import MacAddress, http_url
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Stage
from provisioner.model.resolved import ResolvedInterface
from provisioner.overlay.nodearchive import node_archive
from provisioner.overlay.rendered import OverlayKind, RenderedOverlay


class NodeArchives:
    """The handler of archives of single nodes."""

    def __init__(self, site: HttpSite, gate: Gate) -> None:
        self._site = site
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part. A HEAD must not issue a token."""
        return [web.get("/t/{token}/node", self.fetch, allow_head=False)]

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """The archive of a node: the files of its system overlays, and what its agent needs."""
        site = self._site
        claims, record = self._gate.open(request, Resource.NODE)
        interface, mac = self._interface(record)
        overlay = await site.rendering.overlay(record.revision, record.node, OverlayKind.SYSTEM, record.generation)
        if reason := Release(site).open_objection(record, overlay):
            self._gate.deny(request, Resource.NODE.value, Denied(reason), claims)
        told = {
            "url": self._url(interface),
            "boot": _boot(record, overlay),
            "token": self._gate.system_token(claims),
        }
        files = {name: f"{text}\n".encode() for name, text in told.items()}
        if site.snapshot().site.ports.https and site.tls is not None:
            files["ca"] = await asyncio.to_thread(site.tls.authority, site.now())
        archive = node_archive(overlay.archive, files, (interface.name, mac))
        self._note(request, record, len(archive))
        return Pieces(archive, content_type="application/x-cpio", headers=NOT_KEPT)

    def _interface(self, record: BootRecord) -> tuple[ResolvedInterface, MacAddress]:
        """The device that boots, and its hardware address."""
        mac = MacAddress(record.mac)
        node = self._site.snapshot().by_mac.get(mac)
        interface = node.interface_of(mac) if node and node.name == record.node else None
        if interface is None:
            message = f"{record.node} has no interface with the address {mac} any more"
            raise UnavailableError(message, hint="switch the machine off and on: it boots what is written now")
        return interface, mac

    def _url(self, interface: ResolvedInterface) -> str:
        site = self._site.snapshot().site
        head = interface.heads_in(site.networks[interface.network])[0]
        secure = site.ports.https
        return http_url(head, secure, scheme="https") if secure else http_url(head, site.ports.http)

    def _note(self, request: web.Request, record: BootRecord, size: int) -> None:
        self._site.tally.add("http_bytes", Resource.NODE.value, size)
        event = Event(
            time=self._site.now(),
            stage=Stage.OVERLAY,
            name="overlay.sent",
            message=f"{OverlayKind.SYSTEM} overlay, revision {record.revision[:16]}",
            mac=record.mac,
            node=record.node,
            boot=record.id,
            address=request.remote,
            bytes=size,
        )
        self._site.record(event)


def _boot(record: BootRecord, overlay: RenderedOverlay) -> str:
    """What stage 1 writes down for the agent."""
    lines = {
        "node": record.node,
        "boot": record.id,
        "generation": record.generation,
        "revision": record.revision,
        "overlay_sha256": overlay.sha256,
    }
    return "\n".join(f"{key}={value}" for key, value in lines.items())
