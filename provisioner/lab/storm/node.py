"""One simulated machine: everything that a real one says to the head node, in the same order, with its patience.

Firmware gives up after four DISCOVERs, iPXE after twenty fetches of a kernel, stage 1 after 15 minutes. A machine
that gave up starts again, as a real one does.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random

from provisioner.errors import ProtocolError, ProvisionerError
from provisioner.lab.storm import relay as agent
from provisioner.lab.storm.loader import fetch_loader
from provisioner.lab.storm.outcome import Outcome
from provisioner.lab.storm.plan import Client, Plan, Think
from provisioner.lab.storm.relay import Relay
from provisioner.lab.storm.weather import Link, Sky
from provisioner.lab.storm.web import BrokenError, BusyError, Cables, Connection

_IPXE = "iPXE/1.21.1"
_CURL = "curl/7.88.1"
_AGAIN = (BrokenError, BusyError)
_LOADER_TRIES = 20
_LOADER_PAUSE = 3.0
_STAGE1_PATIENCE = 900.0
_AFTER_FAILURE = 60.0
_THINK = Think()


class SimulatedNode:
    """Boots once, however often it has to start. `shared` is the link that all machines use."""

    def __init__(self, client: Client, plan: Plan, relay: Relay, shared: Link) -> None:
        self.outcome = Outcome(client.name)
        self._client = client
        self._plan = plan
        self._relay = relay
        self._random = Random(f"{plan.seed} {client.mac}")  # noqa: S311 - a storm can be had again
        self._cables = Cables(Link(plan.port), shared, Sky(plan.weather, self._random))
        self._began = 0.0

    async def run(self) -> Outcome:
        """From the button to the report of the running system; the outcome says whether it got there."""
        await asyncio.sleep(self._random.random() * self._plan.spread)
        self._began = self._now()
        try:
            async with asyncio.timeout(self._plan.patience):
                while not self.outcome.ready:
                    await self._start()
        except TimeoutError:
            self.outcome.causes.append(f"not ready after {self._plan.patience:g} s")
        self.outcome.seconds = self._now() - self._began
        return self.outcome

    async def _start(self) -> None:
        try:
            await self._boot()
        except ProvisionerError as error:
            step = list(self.outcome.steps)[-1:]
            self.outcome.causes.append(f"{step[0] if step else 'power'}: {error.message}")

    async def _boot(self) -> None:
        self.outcome.steps.clear()
        uefi = self._client.uefi
        await self._think(_THINK.uefi if uefi else _THINK.bios)
        with self._step("firmware dhcp"):
            granted = await self._relay.lease(self._client, agent.UEFI if uefi else agent.BIOS)
        self.outcome.counts["dhcp"] += granted.repeats
        with self._step("loader"):
            await self._load(granted)
        await self._think(_THINK.loader)
        with self._step("ipxe dhcp"):
            granted = await self._relay.lease(self._client, agent.IPXE_UEFI if uefi else agent.IPXE_BIOS)
        self.outcome.counts["dhcp"] += granted.repeats
        base = await self._run_script(granted.file)
        await self._think(_THINK.kernel)
        await self._run_stage1(base)

    async def _load(self, granted: agent.Granted) -> None:
        server, uefi = (str(granted.server), self._plan.tftp_port), self._client.uefi
        loaded = await fetch_loader(self._client.address, server, granted.file, uefi=uefi, sky=self._cables.sky)
        self.outcome.counts["tftp"] += loaded.repeats
        if self._plan.loader_sha256 not in ("", loaded.sha256):
            raise ProtocolError("the loader is damaged")

    async def _run_script(self, url: str) -> str:
        """What iPXE does; the URL that everything of stage 1 begins with."""
        async with Connection(self._client.address, self._cables, _IPXE) as connection:
            script = bytearray()
            with self._step("script"):
                await connection.get(url, script.extend)
            kernel, base = _urls(script.decode())
            with self._step("kernel"):
                await self._persistently(lambda: connection.get(kernel, len))
            with self._step("stage1"):
                await self._persistently(lambda: connection.get(kernel.replace("/kernel", "/stage1"), len))
            return base

    async def _persistently(self, fetch: Callable[[], Awaitable[int]]) -> None:
        """As the boot script does: twenty tries, 3 s apart."""
        for _ in range(_LOADER_TRIES - 1):
            try:
                await fetch()
            except _AGAIN:
                self.outcome.counts["http"] += 1
                await asyncio.sleep(_LOADER_PAUSE)
            else:
                return
        await fetch()

    async def _run_stage1(self, base: str) -> None:
        with self._step("started"):
            await self._report(base, "stage1.started", must=False)
        with self._step("sheet"):
            sheet = dict(line.split("=", 1) for line in (await self._small(f"{base}/sheet")).decode().splitlines())
        with self._step("root"):
            await self._fetch_root(f"{base}/root", int(sheet["root_size"]), sheet["root_sha256"])
        await self._report(base, "image.verified", must=False)
        await self._think(_THINK.mount)
        with self._step("overlay"):
            overlay = await self._small(f"{base}/overlay/system")
        if hashlib.sha256(overlay).hexdigest() != sheet["overlay_sha256"]:
            raise ProtocolError("the system overlay is not the one of the boot sheet")
        await self._report(base, "overlay.applied", must=False)
        with self._step("handover"):
            token = await self._hand_over(base)
        await self._think(_THINK.system)
        with self._step("report"):
            await self._run_agent(f"{base.rpartition('/')[0]}/{token}")
        self.outcome.ready = True

    async def _hand_over(self, base: str) -> str:
        token = bytearray()

        async def report() -> bool:
            token[:] = await self._report(base, "handover.done")
            return True

        await self._patiently(report)
        return token.decode()

    async def _run_agent(self, base: str) -> None:
        await self._small(f"{base}/overlay/runtime")
        while True:
            try:
                await self._report(base, "system.report", tries=6, state="running")
            except _AGAIN:
                # Its timer tries again.
                await asyncio.sleep(_AFTER_FAILURE)
            else:
                return

    async def _small(self, url: str) -> bytes:
        """A short document, as `fetch_small` of stage 1 gets it."""
        content = bytearray()

        async def fetch() -> bool:
            content.clear()
            async with Connection(self._client.address, self._cables, _CURL) as connection:
                await connection.get(url, content.extend)
            return True

        await self._patiently(fetch)
        return bytes(content)

    async def _fetch_root(self, url: str, size: int, expected: str) -> None:
        digest, got = hashlib.sha256(), 0

        def take(piece: bytes) -> None:
            nonlocal got
            digest.update(piece)
            got += len(piece)

        async def fetch() -> bool:
            self.outcome.counts["resumed"] += 1 if got else 0
            async with Connection(self._client.address, self._cables, _CURL) as connection:
                await connection.get(url, take, start=got)
            return got >= size

        await self._patiently(fetch)
        if digest.hexdigest() != expected:
            raise ProtocolError("the root image is damaged")

    async def _patiently(self, fetch: Callable[[], Awaitable[bool]]) -> None:
        """As stage 1 does: again after up to 1, 2, 4, 8 and then 16 s, for 15 minutes; or when it is told to."""
        deadline, attempt = self._now() + _STAGE1_PATIENCE, 0
        while True:
            try:
                if await fetch():
                    return
            except _AGAIN as error:
                if self._now() > deadline:
                    raise
                if isinstance(error, BusyError) and error.seconds:
                    # A place in the queue is no failed attempt.
                    self.outcome.counts["waited"] += round(error.seconds)
                    await asyncio.sleep(error.seconds)
                    deadline = self._now() + _STAGE1_PATIENCE
                    continue
                attempt += 1
                self.outcome.counts["http"] += 1
                await asyncio.sleep(self._random.random() * 2.0 ** min(attempt, 4))

    async def _report(self, base: str, event: str, *, must: bool = True, tries: int = 3, **facts: str) -> bytes:
        """As curl does with its --retry: after 1, 2, 4 s. A report that does not matter may get lost."""
        uptime = f"{self._now() - self._began:.1f}"
        pairs = {"event": event, "uptime": uptime, **facts}
        body = "".join(f"{key}={value}\n" for key, value in pairs.items()).encode()
        for attempt in range(tries):
            try:
                async with Connection(self._client.address, self._cables, _CURL) as connection:
                    return await connection.post(f"{base}/report", body)
            except _AGAIN:
                self.outcome.counts["http"] += 1
                if attempt == tries - 1 and must:
                    raise
                await asyncio.sleep(2.0**attempt)
        return b""

    async def _think(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._plan.think * self._random.uniform(0.8, 1.25))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = self._now()
        self.outcome.steps[name] = (began - self._began, 0.0)
        yield
        self.outcome.steps[name] = (began - self._began, self._now() - began)


def _urls(script: str) -> tuple[str, str]:
    """The URL of the kernel, and what all fetches of stage 1 start with."""
    kernel, token = re.search(r"http://\S+/t/\S+/kernel", script), re.search(r"prov\.token=(\S+)", script)
    if not kernel or not token:
        told = [line.removeprefix("echo ") for line in script.splitlines() if line.startswith("echo ")]
        raise ProtocolError(f"the script boots nothing: {' '.join(told)[:120]}")
    return kernel[0], f"{kernel[0].partition('/t/')[0]}/t/{token[1]}"
