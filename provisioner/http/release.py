"""Who gets the system overlays of a boot, and how: to a TPM that has proven itself, closed for it alone."""

from __future__ import annotations

import asyncio

from aiohttp import web

from provisioner.errors import IntegrityError
from provisioner.http.site import HttpSite
from provisioner.model.boot import BootRecord
from provisioner.model.tpm import Sealing
from provisioner.overlay.rendered import RenderedOverlay

TICKET = "ticket"
"""The part of a request's query that has it."""


class Release:
    """Holds overlays back from machines that have not shown their TPM where that is asked for."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site

    def objection(self, request: web.Request, record: BootRecord, overlay: RenderedOverlay) -> str:
        """Why an overlay is not for who asks; empty where it is."""
        return self._unproven(request, record, overlay.secrets)

    def hand_over_objection(self, request: web.Request, record: BootRecord) -> str:
        """Why who reports a hand-over gets no token of the running system; empty where it does."""
        return self._unproven(request, record, frozenset())

    def open_objection(self, record: BootRecord, overlay: RenderedOverlay) -> str:
        """Why an overlay does not go out as it is, for nobody's TPM: a ticket does not count there."""
        return self._without_ticket(record, overlay.secrets)

    async def archive(self, request: web.Request, record: BootRecord, overlay: RenderedOverlay) -> bytes:
        """What goes out of an overlay that nothing was objected to."""
        ticket, attesting = request.query.get(TICKET), self._site.attesting
        if ticket is None or attesting is None:
            return overlay.archive
        return await asyncio.to_thread(attesting.attestor.closed, record.id, ticket, overlay.archive)

    def lines(self, request: web.Request) -> dict[str, str]:
        """What the boot sheet says of it."""
        return {"overlay_sealed": "yes"} if TICKET in request.query and self._site.attesting else {}

    def _unproven(self, request: web.Request, record: BootRecord, secrets: frozenset[str]) -> str:
        ticket, attesting = request.query.get(TICKET), self._site.attesting
        if ticket is None or attesting is None:
            return self._without_ticket(record, secrets)
        try:
            attesting.attestor.admit(record.id, ticket)
        except IntegrityError as error:
            return error.message
        return ""

    def _without_ticket(self, record: BootRecord, secrets: frozenset[str]) -> str:
        snapshot = self._site.snapshot()
        node, rules = snapshot.nodes.get(record.node), snapshot.site.secrets
        nothing = f"the TPM of {record.node} has proven nothing in this boot"
        for name in sorted(secrets):
            if name in rules and rules[name].sealed is Sealing.TPM:
                return f"the secret {name} is sealed, and {nothing}"
        return nothing if node is not None and node.tpm.required else ""
