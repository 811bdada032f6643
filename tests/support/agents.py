"""Running nodes, thousands of them: each holds a question for its runtime overlays, as the agent of an image does.

Everything here runs in the namespace of the clients: enter it before the event loop starts.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import cycle

from provisioner.config.paths import Paths
from provisioner.host.run import run
from provisioner.model.boot import TokenStage
from provisioner.registry.store import read_current
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenMint
from tests.support.rig import HEAD, Rig, mac_of

HOLD = 55
"""Seconds that an agent wishes its question to be held."""

# One address has too few ports for ten thousand questions and the reports between them.
_ADDRESSES = [IPv4Address("10.66.255.0") + number for number in range(1, 9)]
_AT_ONCE = 200
_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: its status, its body, and the seconds that it took."""

    status: int
    body: bytes
    seconds: float


@dataclass
class Agent:
    """The agent of one node. `applied` is the digest that it has, `changed` when (time.monotonic) it got it."""

    node: str
    token: str
    address: IPv4Address
    applied: str = ""
    changed: float = 0.0
    is_holding: bool = False

    async def start(self) -> None:
        """Report and get what there is."""
        await self._report("system.report", state="running")
        await self._look({})

    async def follow(self) -> None:
        """Ask for what is new, for ever."""
        while True:
            self.is_holding = True
            await self._look({"If-None-Match": f'"{self.applied}"', "Prefer": f"wait={HOLD}"})

    async def _look(self, headers: Mapping[str, str]) -> None:
        answer = await ask(f"/t/{self.token}/overlay/runtime", address=self.address, headers=headers)
        self.is_holding = False
        assert answer.status in {200, 304}, answer.body
        if answer.status == 304:
            return
        self.applied, self.changed = hashlib.sha256(answer.body).hexdigest(), time.monotonic()
        await self._report("runtime.applied", runtime_sha256=self.applied)
        await self._report("system.report", state="running", runtime_sha256=self.applied)

    async def _report(self, event: str, **facts: str) -> None:
        pairs = {"event": event, "uptime": "60", **facts}
        lines = "".join(f"{key}={value}\n" for key, value in pairs.items())
        answer = await ask(f"/t/{self.token}/report", address=self.address, body=lines.encode())
        assert answer.status == 200, answer.body
        self.token = answer.body.decode() or self.token


@dataclass
class Agents:
    """The agents of all nodes of a site."""

    agents: Sequence[Agent]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Have every agent hold its first question."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def begin(agent: Agent) -> None:
            async with turn:
                await agent.start()
            self._tasks.append(asyncio.create_task(agent.follow()))

        await asyncio.gather(*map(begin, self.agents))
        await self.until(lambda: all(agent.is_holding for agent in self.agents))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; AssertionError of an agent that fails."""
        async with asyncio.timeout(_SECONDS):
            while not holds():
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Let go of every question."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def ask(
    path: str, *, address: IPv4Address, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Response:
    """One request on a connection of its own, as curl makes it."""
    started = time.monotonic()
    reader, writer = await asyncio.open_connection(str(HEAD.ip), 8080, local_addr=(str(address), 0))
    try:
        writer.write(_request(path, headers or {}, body))
        answer = await reader.read()
    finally:
        writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    return Response(int(head.split(b" ", 2)[1]), content, time.monotonic() - started)


def agents_of(paths: Paths, names: Sequence[str]) -> Agents:
    """An agent for each node; the daemon knows their boots by their tokens only."""
    tokens = tokens_of(paths, names, TokenStage.SYSTEM)
    return Agents([Agent(*each) for each in zip(names, tokens, cycle(_ADDRESSES))])


def tokens_of(paths: Paths, names: Sequence[str], stage: TokenStage) -> list[str]:
    """Genuine tokens of a stage, for boots of the revision that is served now."""
    mint, revision = TokenMint(SiteKey.load_or_create(paths.keys)), read_current(paths) or ""
    expires = int(time.time()) + stage.lifetime
    return [
        mint.issue(Claims(name, str(mac_of(number)), f"boot{number}", "demo@1", revision, stage, expires, ("?",)))
        for number, name in enumerate(names, start=1)
    ]


def add_addresses(place: Rig) -> Sequence[IPv4Address]:
    """Give the clients the addresses that they ask from, and as many ports as there are."""
    for address in _ADDRESSES:
        run(["ip", "-n", place.clients.name, "addr", "add", f"{address}/16", "dev", place.theirs])
    ports = ("sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=1024 65535")
    run(["ip", "netns", "exec", place.clients.name, *ports])
    return _ADDRESSES


def _request(path: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {HEAD.ip}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [] if body is None else [f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
