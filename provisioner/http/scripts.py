"""Routes that a machine uses before it has a token: its script, the loaders, autoexec.ipxe, grub.cfg."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from aiohttp import web

from provisioner.boot.access import script_access, source
from provisioner.boot.policy import decide
from provisioner.boot.script import Language, ScriptTokens, written_line
from provisioner.boot.tools import MEMORY_TESTS
from provisioner.errors import ProvisionerError
from provisioner.http.arrivals import Arrivals
from provisioner.http.blob import Pieces
from provisioner.http.menu import CHOICE, LAST_GOOD, chosen, menu_of
from provisioner.http.site import HttpSite
from provisioner.http.steering import Steering
from provisioner.http.vouching import Vouching
from provisioner.model.address import MacAddress
from provisioner.model.boot import (
    Boot,
    BootRecord,
    Decision,
    Local,
    Machine,
    MemoryTest,
    Menu,
    Other,
    Refused,
    TokenStage,
    Unknown,
)
from provisioner.model.bootcontrol import NOTHING, Control, Once
from provisioner.model.event import Event, Level, Stage
from provisioner.model.hostnames import addresses
from provisioner.model.resolved import ResolvedNode
from provisioner.trust.token import Claims

GRUB_FIRST = """\
configfile /grub/$net_default_mac.cfg
echo "Provisioner: there is no script for $net_default_mac"
sleep 10
reboot
"""
"""The grub.cfg of all machines: GRUB knows its MAC and asks for its own. It may be read by everybody."""

_IPXE = "text/plain"
_EVENTS = {
    MemoryTest: "script.memtest",
    Menu: "script.menu",
    Unknown: "script.unknown",
    Refused: "script.refused",
}
_SCRIPT_STAGES = (TokenStage.SCRIPT, TokenStage.STAGE1)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a script: from which address, by which URL of ours, and in which language it wants it."""

    remote: str | None
    url: str
    language: Language = Language.IPXE


class Scripts:
    """Handlers of the routes without a token."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site
        self._arrivals = Arrivals(site)
        self._vouching = Vouching(site)
        self._steering = Steering(site)

    def routes(self) -> list[web.RouteDef]:
        """The routes of this part."""
        return [
            # A HEAD must not open a boot.
            web.get("/boot/{mac}", self.script, allow_head=False),
            web.get("/autoexec.ipxe", self.autoexec),
            web.get("/loader/autoexec.ipxe", self.autoexec),
            web.get("/loader/{name}", self.loader),
            # GRUB looks below the folder that it came from, or at the top.
            *(web.get(f"{folder}/grub/grub.cfg", self.grub_first) for folder in ("", "/loader")),
            web.get("/grub/{mac}.cfg", self.grub, allow_head=False),
            web.get("/tool/{name}", self.tool),
        ]

    async def script(self, request: web.Request) -> web.Response:
        """The script of one machine; opens its boot."""
        mac, asker = _mac_in(request), Asker(request.remote, _own_url(request))
        node, control = await self._ordered(mac)
        if node and node.boot.menu:
            control = await self._chosen(node, control, request)
        decision = self._decide(mac, asker, control)
        if isinstance(decision, Unknown) and (asking := self._arrivals.ask(request, mac, asker.url)):
            return web.Response(text=asking, content_type=_IPXE)
        if node and node.boot.menu and isinstance(decision, Boot) and _gets_menu(control, request):
            text = await self._other(await self._menu(node, decision), mac, asker)
        else:
            text = await self._written(decision, mac, asker, control.once)
        return web.Response(text=text, content_type=_IPXE)

    async def grub(self, request: web.Request) -> web.Response:
        """The same for a machine that runs GRUB."""
        asker = Asker(request.remote, _own_url(request), Language.GRUB)
        return web.Response(text=await self.text(_mac_in(request), asker), content_type=_IPXE)

    async def text(self, mac: MacAddress, asker: Asker) -> str:
        """The script of one machine, whatever protocol it asks by, without a menu; opens its boot."""
        _, control = await self._ordered(mac)
        return await self._written(self._decide(mac, asker, control), mac, asker, control.once)

    async def _ordered(self, mac: MacAddress) -> tuple[ResolvedNode | None, Control]:
        node = self._site.snapshot().by_mac.get(mac)
        return node, await self._steering.control(node, mac) if node else NOTHING

    def _decide(self, mac: MacAddress, asker: Asker, control: Control) -> Decision:
        """What the machine gets, which is nothing of a node for another address than the node's."""
        site = self._site
        decision = decide(site.snapshot(), site.catalogue(), Machine(mac, runs_ipxe=True), control)
        if not isinstance(decision, Unknown | Refused) and (refused := self._stranger(decision, mac, asker)):
            return refused
        # Not before: a stranger under the name of a machine does not say that its loader works.
        site.attempts.arrived(mac)
        if isinstance(decision, MemoryTest) and (lack := self._no_test(asker)):
            return Refused(decision.node, f"{decision.reason}: {lack[0]}", lack[1])
        if isinstance(decision, Boot) and (refused := self._unvouched(decision, mac, asker)):
            return refused
        return self._vouching.as_one(decision, asker.language) if isinstance(decision, Boot) else decision

    def _no_test(self, asker: Asker) -> tuple[str, str] | None:
        """Why a machine cannot test its memory, and what helps."""
        if asker.language is Language.GRUB:
            return "GRUB starts no memory test", "prov boot unset NODE, or boot it by iPXE: boot.loader"
        if len(self._site.steered.tools) < len(MEMORY_TESTS):
            return "the head node has no memory test to give", "apt-get install memtest86+"
        return None

    async def _written(self, decision: Decision, mac: MacAddress, asker: Asker, once: Once | None) -> str:
        if isinstance(decision, Boot):
            return await self._boot(decision, mac, asker, once)
        if isinstance(decision, Local | MemoryTest):
            await self._steering.followed(decision.node.name, mac, once, None)
        return await self._other(decision, mac, asker)

    async def _chosen(self, node: ResolvedNode, control: Control, request: web.Request) -> Control:
        word = request.query.get(CHOICE)
        if word is None:
            return control
        good = await self._steering.good_generation(node.name) if word == LAST_GOOD else None
        return chosen(control, word, good, now=self._site.now())

    async def _menu(self, node: ResolvedNode, decision: Boot) -> Menu:
        good = await self._steering.good_generation(node.name)
        good = None if good == decision.generation.name else good
        return menu_of(node, decision.reason, good, has_test=len(self._site.steered.tools) == len(MEMORY_TESTS))

    def _stranger(self, decision: Boot | Local | MemoryTest, mac: MacAddress, asker: Asker) -> Refused | None:
        address = source(asker.remote)
        holder = self._site.mac_of(address) if isinstance(address, IPv4Address) else None
        snapshot = self._site.snapshot()
        denied = script_access(decision, mac, asker.remote, snapshot=snapshot, holder=holder)
        if denied is None:
            return None
        event = Event(
            time=self._site.now(),
            stage=Stage.SCRIPT,
            name="script.stranger",
            message=denied.reason,
            level=denied.level,
            mac=mac,
            node=decision.node.name,
            address=asker.remote,
        )
        self._site.record(event)
        return Refused(decision.node, denied.reason, "restart the machine, so that it asks for its address again")

    def _unvouched(self, decision: Boot, mac: MacAddress, asker: Asker) -> Refused | None:
        reason, name = self._vouching.fault(decision.generation), decision.generation.name
        if not reason:
            return None
        event = Event(
            time=self._site.now(),
            stage=Stage.SCRIPT,
            name="script.untrusted",
            message=reason,
            level=Level.ALARM,
            mac=mac,
            node=decision.node.name,
            address=asker.remote,
        )
        self._site.record(event)
        hint = f"prov image verify {name}; where that finds no more than this: prov image sign {name}"
        return Refused(decision.node, reason, hint)

    async def _boot(self, decision: Boot, mac: MacAddress, asker: Asker, once: Once | None) -> str:
        site, revision = self._site, self._site.snapshot().revision
        name = decision.node.name
        record = site.ledger.open(
            node=name, mac=mac, generation=decision.generation.name, revision=revision, now=site.now()
        )
        sources = _sources(decision, asker)
        try:
            url = _url6(asker) or site.url_in(decision.interface.network)
            line = written_line(decision, site.snapshot(), url=url, mac=mac)
            tokens = ScriptTokens(*(self._token(record, stage, sources, line) for stage in _SCRIPT_STAGES))
            text = await site.rendering.boot_script(decision, revision, tokens, mac, url, language=asker.language)
        except ProvisionerError as error:
            site.ledger.settle(record, "failed", now=site.now(), reason=error.message)
            refused = Refused(decision.node, error.message, error.hint or "prov check")
            return await self._other(refused, mac, asker)
        self._record(asker, mac, "script.boot", decision.reason, boot=record.id, node=name, size=len(text))
        await self._steering.followed(name, mac, once, record.id)
        await site.recorder.flush()
        return text

    async def _other(self, decision: Other, mac: MacAddress, asker: Asker) -> str:
        node = None if isinstance(decision, Unknown) else decision.node.name
        if isinstance(decision, Local):
            await self._leave(decision, mac, asker)
        else:
            level = Level.WARNING if isinstance(decision, Unknown | Refused) else Level.INFO
            self._record(asker, mac, _EVENTS[type(decision)], decision.reason, node=node, level=level)
        return await self._site.rendering.other_script(
            decision, self._site.snapshot().revision, mac, asker.url, language=asker.language
        )

    async def _leave(self, decision: Local, mac: MacAddress, asker: Asker) -> None:
        site, name = self._site, decision.node.name
        revision = site.snapshot().revision
        record = site.ledger.leave(node=name, mac=mac, revision=revision, reason=decision.reason, now=site.now())
        self._record(asker, mac, "script.local", decision.reason, node=name, boot=record.id)
        await site.recorder.flush()

    def _token(self, record: BootRecord, stage: TokenStage, sources: tuple[str, ...], line: str) -> str:
        expires = int(self._site.now()) + stage.lifetime
        holds = record.generation, record.revision
        # Stage 1 asks what its kernel line should be; whoever loads it does not.
        said = line if stage is TokenStage.STAGE1 else ""
        claims = Claims(record.node, record.mac, record.id, *holds, stage, expires, sources, said)
        return self._site.mint.issue(claims)

    async def autoexec(self, request: web.Request) -> web.Response:
        """What iPXE looks for beside the loader it came from: sends it to its script, so no chain can loop."""
        text = f"#!ipxe\nchain --replace {_own_url(request)}/boot/${{netX/mac:hexhyp}}\n"
        return web.Response(text=text, content_type=_IPXE)

    async def grub_first(self, _request: web.Request) -> web.Response:
        """What GRUB reads before it knows which machine it is in."""
        return web.Response(text=GRUB_FIRST, content_type=_IPXE)

    async def loader(self, request: web.Request) -> web.StreamResponse:
        """A loader, for firmware that boots by HTTP."""
        name = request.match_info["name"]
        content = self._site.loaders.get(name)
        if content is None:
            raise web.HTTPNotFound(text=f"there is no loader {name}\n")
        if request.method == "GET":
            self._record_loader(request, name, len(content))
            self._site.tally.add("http_bytes", "loader", len(content))
        return Pieces(content, content_type="application/efi")

    async def tool(self, request: web.Request) -> web.StreamResponse:
        """A program of the table, for a machine that is told to run it; it holds nothing of any node."""
        name = request.match_info["name"]
        path = self._site.steered.tools.get(name)
        if path is None:
            raise web.HTTPNotFound(text=f"there is no tool {name}\n")
        content = await asyncio.to_thread(path.read_bytes)
        if request.method == "GET":
            self._record_loader(request, name, len(content))
        return Pieces(content, content_type="application/octet-stream")

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
        return next((each.mac for each in node.interfaces if ip in addresses(each)), None), node.name

    def _record(
        self,
        asker: Asker,
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
            address=asker.remote,
            bytes=size,
        )
        self._site.record(event)


def _mac_in(request: web.Request) -> MacAddress:
    try:
        return MacAddress(request.match_info["mac"])
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None


def _gets_menu(control: Control, request: web.Request) -> bool:
    """An order of an administrator goes before the menu."""
    return control.once is None and CHOICE not in request.query


def _sources(decision: Boot, asker: Asker) -> tuple[str, ...]:
    """Where the boot will speak from: firmware may have another address than stage 1 gives the interface."""
    written = (str(each.ip) for each in (decision.interface.ip, decision.interface.ip6) if each)
    return tuple(dict.fromkeys((str(source(asker.remote)), *written)))


def _url6(asker: Asker) -> str | None:
    """Our own URL, where the machine came by IPv6: it may have no other address."""
    return asker.url if "[" in asker.url else None


def _own_url(request: web.Request) -> str:
    """The address that the client itself used to reach this daemon."""
    host, port = request.transport.get_extra_info("sockname")[:2] if request.transport else ("", 0)
    return f"{request.scheme}://[{host}]:{port}" if ":" in host else f"{request.scheme}://{host}:{port}"
