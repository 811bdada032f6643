"""Routes on which a machine shows its TPM: the keys first, which are challenged, then a quote of its registers."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import web

from provisioner.boot.access import Resource
from provisioner.boot.attested import FIRST_USE, judged, short
from provisioner.errors import IntegrityError, ProtocolError, ProvisionerError, UnavailableError
from provisioner.http.report import parse_facts
from provisioner.http.site import Attesting, HttpSite
from provisioner.http.tokens import Gate
from provisioner.model.address import MacAddress
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Level, Stage
from provisioner.model.resolved import ResolvedNode
from provisioner.model.tpm import KnownTpm, Shown
from provisioner.trust.tpm.attestor import Keys
from provisioner.trust.tpm.quote import REGISTER_BYTES, REGISTERS

MAX_BODY = 16 << 10
_ALL_BYTES = REGISTER_BYTES * len(REGISTERS)


class Attestation:
    """The handlers. A machine that is refused is told why, and so is everybody who looks at its node."""

    def __init__(self, site: HttpSite, gate: Gate) -> None:
        self._site = site
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part."""
        return [web.post("/t/{token}/tpm", self.challenge), web.post("/t/{token}/quote", self.quote)]

    async def challenge(self, request: web.Request) -> web.Response:
        """What only the TPM that was shown can open."""
        _, record = self._gate.open(request, Resource.TPM)
        attesting, told = self._attesting(), await _told(request)
        try:
            challenge = attesting.attestor.challenge(record.id, _keys(told))
        except ProtocolError as error:
            raise self._refused(request, record, _alarm(error)) from None
        return web.Response(body=challenge, content_type="application/octet-stream")

    async def quote(self, request: web.Request) -> web.Response:
        """The ticket of a machine whose TPM opened its challenge, is the node's, and measured what it should."""
        _, record = self._gate.open(request, Resource.QUOTE)
        attesting, told, node = self._attesting(), await _told(request), self._node(record)
        try:
            keys, values = _keys(told), _registers(told)
            attesting.attestor.verify(
                record.id, keys, _bytes(told, "quote"), _bytes(told, "signature"), registers=values
            )
        except (ProtocolError, IntegrityError) as error:
            raise self._refused(request, record, _alarm(error)) from None
        shown = Shown(
            keys.endorsement.identity,
            {number: value.hex() for number, value in zip(REGISTERS, values, strict=True)},
            record.id,
            self._site.now(),
        )
        known = await asyncio.to_thread(attesting.change, node.name, lambda each: judged(node, each, shown))
        if known.refusal and known.enrolled is None:
            raise self._refused(request, record, _event("tpm.unknown", known.refusal, Level.WARNING, shown))
        if known.refusal:
            raise self._refused(request, record, _event("tpm.refused", known.refusal, Level.ALARM, shown))
        self._tell_verified(request, record, known, shown)
        return web.Response(text=attesting.attestor.ticket(record.id, keys))

    def _attesting(self) -> Attesting:
        if self._site.attesting is None:
            raise web.HTTPNotFound(text="nobody asks for a TPM here\n")
        return self._site.attesting

    def _node(self, record: BootRecord) -> ResolvedNode:
        node = self._site.snapshot().by_mac.get(MacAddress(record.mac))
        if node is None or node.name != record.node:
            message = f"{record.node} has no interface with the address {record.mac} any more"
            raise UnavailableError(message, hint="switch the machine off and on: it boots what is written now")
        return node

    def _tell_verified(self, request: web.Request, record: BootRecord, known: KnownTpm, shown: Shown) -> None:
        if known.enrolled and (known.enrolled.by, known.enrolled.time) == (FIRST_USE, shown.time):
            message = f"the TPM {short(shown.key)} is that of {record.node} from now on: its first"
            enrolled = _event("tpm.enrolled", message, Level.WARNING, shown)
            self._record(request, record, enrolled)
        message = f"TPM {short(shown.key)}, what it measured is as accepted"
        self._record(request, record, _event("tpm.verified", message, Level.INFO, shown))

    def _refused(self, request: web.Request, record: BootRecord, event: Event) -> web.HTTPForbidden:
        self._record(request, record, event)
        return web.HTTPForbidden(text=f"{event.message}\n")

    def _record(self, request: web.Request, record: BootRecord, event: Event) -> None:
        told = replace(event, time=self._site.now(), mac=record.mac, node=record.node, boot=record.id)
        self._site.record(replace(told, address=request.remote))


def _event(name: str, message: str, level: Level, shown: Shown | None = None) -> Event:
    return Event(0.0, Stage.STAGE1, name, message, level, data=_data(shown) if shown else {})


def _alarm(error: ProvisionerError) -> Event:
    return _event("tpm.refused", error.message, Level.ALARM)


async def _told(request: web.Request) -> dict[str, str]:
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
    try:
        return parse_facts((await request.read())[:MAX_BODY])
    except ProtocolError as error:
        raise web.HTTPBadRequest(text=f"{error.message}\n") from None


def _keys(told: Mapping[str, str]) -> Keys:
    return Keys.parse(_bytes(told, "ek"), _bytes(told, "ak"))


def _registers(told: Mapping[str, str]) -> list[bytes]:
    values = _bytes(told, "registers")
    if len(values) != _ALL_BYTES:
        raise ProtocolError(f"the registers have {len(values)} bytes in place of {_ALL_BYTES}")
    return [values[start : start + REGISTER_BYTES] for start in range(0, _ALL_BYTES, REGISTER_BYTES)]


def _bytes(told: Mapping[str, str], key: str) -> bytes:
    try:
        return b64decode(told.get(key, ""), validate=True)
    except (Base64Error, ValueError):
        raise ProtocolError(f"{key} is not Base64") from None


def _data(shown: Shown) -> dict[str, str]:
    return {"ek": shown.key, **{f"pcr{number}": value for number, value in shown.registers.items()}}
