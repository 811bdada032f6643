"""What GRUB fetches by TFTP: the script of its machine, and behind a token the kernel and stage 1 of its boot.

The same rules as by HTTP: the script goes to the machine's own address and opens its boot, and each file is asked
of the same gate.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Coroutine
from functools import partial
from hashlib import sha256
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from provisioner.boot.access import Resource
from provisioner.boot.script import Language
from provisioner.errors import IntegrityError
from provisioner.http.scripts import GRUB_FIRST, Asker, Scripts
from provisioner.http.site import HttpSite
from provisioner.http.tokens import DeniedError, Gate
from provisioner.http.vouching import Vouching
from provisioner.model.address import MacAddress
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event, Level, Stage
from provisioner.model.written import DhcpMode
from provisioner.tftp.packet import ErrorCode
from provisioner.tftp.table import Held, RefusedError

_SCRIPT = re.compile(r"grub/((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\.cfg")
_FILE = re.compile(r"t/([\w.-]{1,480})/(kernel|stage1)", re.ASCII)
_STAGES = {Resource.KERNEL: Stage.KERNEL, Resource.STAGE1: Stage.STAGE1}
_MAPPED = 8


class BootFiles:
    """Finds what TFTP clients ask for; `url` is what the head node is reached by where they are."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site
        self._gate = Gate(site)
        self._scripts = Scripts(site)
        self._vouching = Vouching(site)
        self._mapped: OrderedDict[str, mmap] = OrderedDict()

    def find(self, name: str, client: str, url: str) -> Coroutine[Any, Any, Held] | None:
        """What a name holds for a client, or None where it is no name of ours. It raises RefusedError."""
        plain = name.removeprefix("/")
        if plain == "grub/grub.cfg":
            return _at_once(Held(GRUB_FIRST.encode()))
        if found := _SCRIPT.fullmatch(plain):
            return self._script(MacAddress(found[1]), Asker(client, url, Language.GRUB))
        if found := _FILE.fullmatch(plain):
            return self._artifact(found[1], Resource(found[2]), client)
        return None

    async def _script(self, mac: MacAddress, asker: Asker) -> Held:
        # Anybody can send a datagram in the name of a node, and the script ends the boot that it has. Who can
        # speak DHCP for it too stands where it stands.
        if self._hears_dhcp(mac) and not self._site.attempts.is_under_way(mac, now=self._site.now()):
            raise RefusedError(f"the firmware of {mac} was sent to no loader lately", ErrorCode.ACCESS_VIOLATION)
        # That it was made is told as script.boot; how its transfer ends is seen by what comes next.
        return Held((await self._scripts.text(mac, asker)).encode(), lambda _count, _seconds: None)

    def _hears_dhcp(self, mac: MacAddress) -> bool:
        """Whether firmware of this node gets its loader from us, so that we would know of it."""
        snapshot = self._site.snapshot()
        node = snapshot.by_mac.get(mac)
        interface = node.interface_of(mac) if node else None
        return interface is not None and snapshot.site.networks[interface.network].dhcp is not DhcpMode.OFF

    async def _artifact(self, token: str, resource: Resource, client: str) -> Held:
        try:
            _, record = self._gate.admit(token, client, resource, way="TFTP")
        except DeniedError as error:
            raise RefusedError(error.message, ErrorCode.ACCESS_VIOLATION) from None
        generation = self._site.catalogue().find(record.generation)
        if generation is None:
            raise IntegrityError(f"{record.generation}, which boot {record.id} holds to, is gone from the store")
        parts = generation.boot_set
        if resource is Resource.KERNEL:
            content = await self._map(parts.kernel.digest)
        else:
            content = await self._map(parts.stage1.digest, self._vouching.anchor(record, parts.stage1))
        return Held(content, partial(self._sent, record, resource, client))

    async def _map(self, digest: str, tail: bytes = b"") -> mmap:
        """The file of an artifact and what follows it, once for all who fetch it."""
        name = digest + sha256(tail).hexdigest()
        if name not in self._mapped:
            path = self._site.artifact(digest)
            # Opening may wait for a slow disk, and so would reading: both happen beside the event loop.
            self._mapped[name] = await asyncio.to_thread(_joined if tail else _mapped, path, tail)
            if len(self._mapped) > _MAPPED:
                # Those that are being sent stay until they are sent.
                self._mapped.popitem(last=False)
        return self._mapped[name]

    def _sent(
        self, record: BootRecord, resource: Resource, client: str, count: int | None, seconds: float
    ) -> None:
        what = f"{resource} of {record.generation}"
        self._site.record(
            Event(
                time=self._site.now(),
                stage=_STAGES[resource],
                name=f"{resource}.broken" if count is None else f"{resource}.sent",
                message=f"{what}: transfer broke off" if count is None else f"{what} by TFTP",
                level=Level.WARNING if count is None else Level.INFO,
                mac=record.mac,
                node=record.node,
                boot=record.id,
                address=client,
                bytes=count,
                seconds=seconds,
            )
        )


async def _at_once(held: Held) -> Held:
    return held


def _joined(path: Path, tail: bytes) -> mmap:
    content = path.read_bytes()
    joined = mmap(-1, len(content) + len(tail))
    joined.write(content)
    joined.write(tail)
    return joined


def _mapped(path: Path, _tail: bytes) -> mmap:
    with path.open("rb") as file:
        content = mmap(file.fileno(), 0, access=ACCESS_READ)
    # The pages are read here, and not at the first packet of each of them.
    for at in range(0, len(content), 4096):
        content[at]
    return content
