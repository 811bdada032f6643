"""The route on which nodes report, and what each report does to their boot."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from provisioner.boot.access import Denied, Resource
from provisioner.errors import ProtocolError
from provisioner.http import streamtoken
from provisioner.http.release import Release
from provisioner.http.report import MAX_BODY, NodeReport, parse_report
from provisioner.http.site import HttpSite
from provisioner.http.steering import Steering
from provisioner.http.tokens import Gate
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Level, Stage
from provisioner.trust.token import Claims

_HEALTHY = frozenset({"running"})
_FAILURES = frozenset({"failed", "runtime.failed"})
# What these tell of bytes and seconds is measured nowhere else.
_MEASURED = frozenset({"disk.prepared", "disk.installed", "disk.reused"})
_MOST_DIGITS = 15


class Reports:
    """The handler of reports."""

    def __init__(self, site: HttpSite, gate: Gate) -> None:
        self._site = site
        self._gate = gate
        self._release = Release(site)
        self._steering = Steering(site)

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part."""
        return [web.post("/t/{token}/report", self.report)]

    async def report(self, request: web.Request) -> web.Response:
        """Take a report. The answer to a hand-over, and to a running system, is its next token."""
        claims, record = self._gate.open(request, Resource.REPORT)
        if (request.content_length or 0) > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
        try:
            report = parse_report(await request.read(), claims.stage)
        except ProtocolError as error:
            raise web.HTTPBadRequest(text=f"{error.message}\n") from None
        if report.event == "handover.done" and (reason := self._release.hand_over_objection(request, record)):
            self._gate.deny(request, Resource.REPORT.value, Denied(reason), claims)
        self._note(request, record, report)
        if claims.stage is TokenStage.STAGE1:
            await self._steering.reported(record)
        match report.event:
            case "rescue.entered":
                await self._settle(record, "rescue")
            case "failed":
                await self._settle(record, "failed", report.facts.get("reason", ""))
            case "handover.done":
                return await self._hand_over(claims, record)
            case "system.report":
                return await self._running(claims, record, report)
            case _:
                pass
        return web.Response(text="")

    async def _settle(self, record: BootRecord, state: str, reason: str = "") -> None:
        """Close a boot. Whoever got the answer does not say it again, so it is on the disk before the answer."""
        self._site.ledger.settle(record, state, now=self._site.now(), reason=reason)
        await self._site.recorder.flush()

    async def _hand_over(self, claims: Claims, record: BootRecord) -> web.Response:
        self._site.ledger.advance(record, TokenStage.SYSTEM, now=self._site.now())
        # The stage must be closed on the disk before the next token leaves: a restart may not reopen it.
        await self._site.recorder.flush()
        return web.Response(text=self._gate.system_token(claims))

    async def _running(self, claims: Claims, record: BootRecord, report: NodeReport) -> web.Response:
        now = self._site.now()
        reason = _complaint(report.facts)
        first = record.state == TokenStage.SYSTEM.value
        state = "degraded" if reason else "ready"
        settled = self._site.ledger.settle(record, state, now=now, reason=reason)
        self._site.recorder.save_report(record.node, record.id, now, dict(report.facts))
        if first:
            self._site.record(_ready(settled, now, reason))
        if settled is not record:
            await self._site.recorder.flush()
        headers = {streamtoken.HEADER: streamtoken.stream_token(self._site, claims)} if _streams(report) else None
        return web.Response(text=self._gate.system_token(claims), headers=headers)

    def _note(self, request: web.Request, record: BootRecord, report: NodeReport) -> None:
        failed = report.event in _FAILURES
        event = Event(
            time=self._site.now(),
            stage=report.stage,
            name=report.event,
            message=_message(report),
            level=Level.FAILURE if failed else Level.INFO,
            mac=record.mac,
            node=record.node,
            boot=record.id,
            address=request.remote,
            bytes=_bytes(report),
            seconds=_seconds(report),
            data={"uptime": report.uptime, **report.facts},
        )
        self._site.record(event)


def _complaint(facts: Mapping[str, str]) -> str:
    """Why a running system is not ready: failed units, a root or runtime overlays with a fault; else empty."""
    state, failed = facts.get("state"), facts.get("failed", "")
    if state not in _HEALTHY:
        return f"systemd says {state}: {failed or 'no unit failed'}"
    if fault := facts.get("stream_fault", ""):
        return f"the root streams, but {fault}"
    fault = facts.get("runtime_failed", "")
    return f"the runtime overlays are not applied: {fault}" if fault else ""


def _streams(report: NodeReport) -> bool:
    return report.facts.get("stream") == "remote"


def _bytes(report: NodeReport) -> int | None:
    text = report.facts.get("bytes", "")
    known = report.event in _MEASURED and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if known else None


def _seconds(report: NodeReport) -> float | None:
    """How long it took: `started` is the uptime at which it began."""
    if report.event not in _MEASURED:
        return None
    try:
        seconds = report.uptime - float(report.facts.get("started", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= report.uptime else None


def _message(report: NodeReport) -> str:
    facts = report.facts
    if report.event in _FAILURES:
        return facts.get("reason", "")
    if report.event in _MEASURED:
        return f"{facts.get('device', '?')}, {report.uptime:.1f} s after the kernel started"
    if report.event == "runtime.applied":
        counts = f"{facts.get('runtime_changed', '?')} changed, {facts.get('runtime_removed', '?')} removed"
        return f"runtime overlays {facts.get('runtime_sha256', '')[:16]}: {counts}"
    return f"{report.uptime:.1f} s after the kernel started"


def _ready(record: BootRecord, now: float, reason: str) -> Event:
    return Event(
        time=now,
        stage=Stage.READY,
        name=record.state,
        message=reason or f"{record.generation} at revision {record.revision[:16]}",
        level=Level.WARNING if reason else Level.INFO,
        mac=record.mac,
        node=record.node,
        boot=record.id,
        data={"seconds": now - record.opened},
    )
