"""Routes that a machine uses before it has a token: its script, the loaders, autoexec.ipxe."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

from aiohttp import web

from provisioner.boot.policy import decide
from provisioner.boot.script import ScriptTokens
from provisioner.errors import ProvisionerError
from provisioner.http.site import HttpSite
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, BootRecord, Machine, Refused, TokenStage, Unknown
from provisioner.model.event import Event, Level, Stage
from provisioner.model.written import DhcpMode
from provisioner.trust.token import Claims

_IPXE = "text/plain"


class Scripts:
    """Handlers of the routes without a token."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part."""
        return [
            # A HEAD must not open a boot.
            web.get("/boot/{mac}", self.script, allow_head=False),
            web.get("/autoexec.ipxe", self.autoexec),
            web.get("/loader/autoexec.ipxe", self.autoexec),
            web.get("/loader/{name}", self.loader),
        ]

    async def script(self, request: web.Request) -> web.Response:
        """The script of one machine; opens its boot."""
        try:
            mac = MacAddress(request.match_info["mac"])
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        snapshot = self._site.snapshot()
        decision = decide(snapshot, self._site.catalogue(), Machine(mac, runs_ipxe=True))
        if isinstance(decision, Boot) and not self._comes_from(decision, mac, request.remote):
            decision = self._refuse_stranger(decision, mac, request)
        if isinstance(decision, Boot):
            text = await self._boot(decision, mac, request)
        else:
            text = await self._other(decision, mac, request)
        return web.Response(text=text, content_type=_IPXE)

    def _comes_from(self, decision: Boot, mac: MacAddress, remote: str | None) -> bool:
        """Whether the request comes from the machine: from its own address, or one that it holds of the pool.

        Where somebody else gives out the addresses, nothing is known of them.
        """
        if self._site.snapshot().site.networks[decision.interface.network].dhcp is not DhcpMode.AUTHORITATIVE:
            return True
        own = decision.interface.ip
        address = ip_address(remote or "::")
        if own is not None and address == own.ip:
            return True
        return isinstance(address, IPv4Address) and self._site.mac_of(address) == mac

    def _refuse_stranger(self, decision: Boot, mac: MacAddress, request: web.Request) -> Refused:
        reason = f"{request.remote} asks for the script of {decision.node.name} ({decision.interface.ip})"
        event = Event(
            time=self._site.now(),
            stage=Stage.SCRIPT,
            name="script.stranger",
            message=reason,
            level=Level.ALARM,
            mac=mac,
            node=decision.node.name,
            address=request.remote,
        )
        self._site.record(event)
        return Refused(decision.node, reason, "restart the machine, so that it asks for its address again")

    async def _boot(self, decision: Boot, mac: MacAddress, request: web.Request) -> str:
        site, revision = self._site, self._site.snapshot().revision
        name = decision.node.name
        record = site.ledger.open(
            node=name, mac=mac, generation=decision.generation.name, revision=revision, now=site.now()
        )
        tokens = ScriptTokens(self._token(record, TokenStage.SCRIPT), self._token(record, TokenStage.STAGE1))
        try:
            text = await site.rendering.boot_script(decision, revision, tokens, mac)
        except ProvisionerError as error:
            site.ledger.settle(record, "failed", now=site.now(), reason=error.message)
            refused = Refused(decision.node, error.message, error.hint or "prov check")
            return await self._other(refused, mac, request)
        self._record(request, mac, "script.boot", decision.reason, boot=record.id, node=name, size=len(text))
        await site.recorder.flush()
        return text

    async def _other(self, decision: Unknown | Refused, mac: MacAddress, request: web.Request) -> str:
        kind = "unknown" if isinstance(decision, Unknown) else "refused"
        node = decision.node.name if isinstance(decision, Refused) else None
        self._record(request, mac, f"script.{kind}", decision.reason, node=node, level=Level.WARNING)
        return await self._site.rendering.other_script(
            decision, self._site.snapshot().revision, mac, _own_url(request)
        )

    def _token(self, record: BootRecord, stage: TokenStage) -> str:
        expires = int(self._site.now()) + stage.lifetime
        claims = Claims(record.node, record.mac, record.id, record.generation, record.revision, stage, expires)
        return self._site.mint.issue(claims)

    async def autoexec(self, request: web.Request) -> web.Response:
        """What iPXE looks for beside the loader it came from: sends it to its script, so no chain can loop."""
        text = f"#!ipxe\nchain --replace {_own_url(request)}/boot/${{netX/mac:hexhyp}}\n"
        return web.Response(text=text, content_type=_IPXE)

    async def loader(self, request: web.Request) -> web.Response:
        """A loader, for firmware that boots by HTTP."""
        name = request.match_info["name"]
        content = self._site.loaders.get(name)
        if content is None:
            raise web.HTTPNotFound(text=f"there is no loader {name}\n")
        if request.method == "GET":
            self._record_loader(request, name, len(content))
        return web.Response(body=content, content_type="application/efi")

    def _record_loader(self, request: web.Request, name: str, size: int) -> None:
        machine = self._machine_at(request.remote)
        event = Event(
            time=self._site.now(),
            stage=Stage.LOADER,
            name="loader.sent",
            message=f"{name} by HTTP",
            mac=machine[0] if machine else None,
            node=machine[1] if machine else None,
            address=request.remote,
            bytes=size,
        )
        self._site.record(event)

    def _machine_at(self, address: str | None) -> tuple[str | None, str] | None:
        """MAC and name of the node with this address: a label for the timeline, never a proof of identity."""
        ip = ip_address(address or "::")
        node = self._site.snapshot().by_address.get(ip)
        if node is None:
            return None
        return next((each.mac for each in node.interfaces if each.ip and each.ip.ip == ip), None), node.name

    def _record(
        self,
        request: web.Request,
        mac: MacAddress,
        name: str,
        message: str,
        *,
        node: str | None = None,
        boot: str | None = None,
        size: int | None = None,
        level: Level = Level.INFO,
    ) -> None:
        event = Event(
            time=self._site.now(),
            stage=Stage.SCRIPT,
            name=name,
            message=message,
            level=level,
            mac=mac,
            node=node,
            boot=boot,
            address=request.remote,
            bytes=size,
        )
        self._site.record(event)


def _own_url(request: web.Request) -> str:
    """The address that the client itself used to reach this daemon."""
    host, port = request.transport.get_extra_info("sockname")[:2] if request.transport else ("", 0)
    return f"http://{host}:{port}"
