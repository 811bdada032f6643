"""The real HTTP server on loopback, what honest machines send it, and many connections that send worse."""

from __future__ import annotations

import asyncio
import hashlib
import re
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from provisioner.boot.ledger import Ledger
from provisioner.http.server import HttpServer
from provisioner.http.site import Attesting, HttpSite
from provisioner.model.address import MacAddress
from provisioner.model.boot import TokenStage
from provisioner.model.event import Event
from provisioner.model.tpm import UNKNOWN_TPM
from provisioner.overlay.rendered import RenderedOverlay
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenMint
from tests.support import resolved, tpmvectors
from tests.support.corpus import Corpus

HOST = "127.0.0.1"
NOW = 1000.0
CONNECTIONS = 200
"""Connections at once: fewer than one address may have."""

ARTIFACT = bytes(range(256)) * 64
_MINT = TokenMint(SiteKey(b"k" * 32))
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_SECONDS = 0.5


class _Rendering:
    """Gives short texts at once: what is tested comes before any template."""

    async def boot_script(self, *_: object, **__: object) -> str:
        return "#!ipxe\nboot\n"

    async def other_script(self, *_: object, **__: object) -> str:
        return "#!ipxe\nshell\n"

    async def overlay(self, *_: object) -> RenderedOverlay:
        return RenderedOverlay(b"070701", hashlib.sha256(b"070701").hexdigest())


class _Recorder:
    """Keeps nothing."""

    def save_report(self, *_: object) -> None:
        """Forget a report."""

    async def flush(self) -> None:
        """There is nothing to wait for."""


@dataclass
class Served:
    """A server, its port, and what it recorded."""

    port: int
    events: Counter[str] = field(default_factory=Counter)


# One node a stage, because a boot that reached a stage has closed the one before; the last asks for its script.
_MACS = [MacAddress(f"52:54:00:00:00:0{number}") for number in range(1, 5)]
_SNAPSHOT = resolved.snapshot(
    *(resolved.node(f"n00{number}", mac=mac, host=number) for number, mac in enumerate(_MACS, 1))
)
_STARTING = _MACS[3]


def token(stage: TokenStage) -> str:
    """The token of a node in this stage, good at `NOW`."""
    number = list(TokenStage).index(stage)
    claims = Claims(
        f"n00{number + 1}", _MACS[number], "b1", "debian-12@1", resolved.REVISION, stage, 2**31, (HOST,)
    )
    return _MINT.issue(claims)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    """The server of a small site. Machines of it may ask from loopback."""
    artifact = folder / "artifact"
    artifact.write_bytes(ARTIFACT)
    served = Served(0)

    def record(event: Event) -> None:
        served.events[event.name] += 1

    site = HttpSite(
        snapshot=lambda: _SNAPSHOT,
        catalogue=resolved.catalogue,
        artifact=lambda _: artifact,
        loaders={"snponly.efi": b"loader" * 100},
        mac_of=lambda _: _STARTING,
        url_in=lambda _: f"http://{HOST}",
        rendering=_Rendering(),
        ledger=Ledger(lambda _: None),
        mint=_MINT,
        record=record,
        recorder=_Recorder(),
        now=lambda: NOW,
        attesting=Attesting(tpmvectors.ATTESTOR, lambda _, change: change(UNKNOWN_TPM)),
    )
    server = HttpServer(site, hosts=[HOST], port=0)
    await server.start()
    try:
        served.port = server._servers[0].sockets[0].getsockname()[1]
        yield served
    finally:
        await server.close()


_HOST = b"Host: 10.0.0.1:8080\r\nUser-Agent: iPXE/1.21.1\r\n"


def requests() -> Corpus:
    """What firmware, iPXE, curl and stage 1 send, and forms that are allowed and rare."""
    stages = TokenStage.SCRIPT, TokenStage.STAGE1, TokenStage.SYSTEM
    script, stage1, system = map(token, stages)
    return (*_plain(script, stage1), *_ranged(script), *_posted(stage1), *_measured(stage1), *_odd(system))


def _plain(script: str, stage1: str) -> list[bytes]:
    paths = (
        *(f"/boot/{_STARTING.hyphenated}", f"/boot/{_STARTING}", "/autoexec.ipxe", "/loader/snponly.efi"),
        *("/loader/%2e%2e%2fetc", "http://10.0.0.1:8080/autoexec.ipxe", "//autoexec.ipxe?a=b#c", "*", "/"),
        *(f"/t/{script}/{what}" for what in ("kernel", "stage1")),
        *(f"/t/{stage1}/{what}" for what in ("sheet", "root", "overlay/system")),
        "/t/../../etc/passwd",
    )
    return [f"{verb} {path} HTTP/1.1\r\n".encode() + _HOST + b"\r\n" for path in paths for verb in ("GET", "HEAD")]


def _ranged(script: str) -> list[bytes]:
    ranges = (b"bytes=0-99", b"bytes=-5", b"bytes=100-", b"bytes=0-0,5-9,-1", b"bytes=9-1", b"lines=1")
    asked = f"GET /t/{script}/kernel HTTP/1.1\r\n".encode() + _HOST
    return [asked + b"Range: " + each + b"\r\n\r\n" for each in ranges]


def _posted(stage1: str) -> list[bytes]:
    report = b"event=stage1.started\nuptime=11.3\n"
    length = b"Content-Length: %d\r\n\r\n" % len(report)
    chunk = b"%x;x=y\r\n" % len(report) + report
    asked = f"POST /t/{stage1}/report HTTP/1.1\r\n".encode() + _HOST
    bodies = (
        length + report,
        b"Expect: 100-continue\r\n" + length + report,
        b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"\r\n0\r\nTrailer: x\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + report,
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
        b"Content-Length: 99999999999999999999\r\n\r\n" + report,
    )
    return [asked + each for each in bodies]


def _measured(stage1: str) -> list[bytes]:
    parts = {
        "ek": "ek_ecc.pub",
        "ak": "ecc.pub",
        "quote": "ecc.quote",
        "signature": "ecc.sig",
        "registers": "pcrs",
    }
    told = "".join(
        f"{key}={b64encode(tpmvectors.vector(name)).decode()}\n" for key, name in parts.items()
    ).encode()
    length = b"Content-Length: %d\r\n\r\n" % len(told)
    return [f"POST /t/{stage1}/{what} HTTP/1.1\r\n".encode() + _HOST + length + told for what in ("tpm", "quote")]


def _odd(system: str) -> list[bytes]:
    return [
        b"GET /autoexec.ipxe HTTP/1.0\r\n\r\n",
        b"GET /autoexec.ipxe\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"a" * 1500 + b" HTTP/1.1\r\n\r\n",
        f"GET /t/{system}/overlay/runtime HTTP/1.1\r\n".encode() + _HOST + b'If-None-Match: "x", W/"y"\r\n\r\n',
    ]


async def bombard(port: int, inputs: Iterable[bytes], *, seconds: float = _SECONDS) -> Counter[str]:
    """Send every input on a connection of its own, many at once; how often which status came back first.

    What is silent for so many seconds counts as silent.
    """
    outcomes: Counter[str] = Counter()
    waiting = iter(inputs)

    async def work() -> None:
        for data in waiting:
            outcomes[await sent(port, data, seconds)] += 1

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return outcomes


async def sent(port: int, data: bytes, seconds: float = _SECONDS) -> str:
    """What comes back for some bytes: the first status, or silence, of which a moment is enough.

    Some say at once that nothing follows; the others leave the server waiting, and hang up on it.
    """
    reader, writer = await asyncio.open_connection(HOST, port)
    received = b""
    with suppress(OSError):
        writer.write(data)
        if len(data) % 8 == 0:
            writer.write_eof()
        async with asyncio.timeout(seconds):
            received = await reader.read(64 << 10)
    writer.transport.abort()
    found = _STATUS.match(received)
    return found[1].decode() if found else "silence"
