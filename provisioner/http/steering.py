"""What was ordered for the next boot of a machine, and what its failed boots make of it, for each script."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from provisioner.boot.lastgood import Outcome, last_good, outcome
from provisioner.boot.override import reported, settled, taken
from provisioner.errors import ProvisionerError
from provisioner.http.menu import good_generation
from provisioner.http.site import HttpSite
from provisioner.model.boot import BootRecord
from provisioner.model.bootcontrol import DISK, MEMTEST, NOTHING, Control, Fallback, Once
from provisioner.model.event import Event, Level, Stage
from provisioner.model.resolved import ResolvedNode

logger = logging.getLogger(__name__)

_Change = Callable[[Control], Control]


class Steering:
    """Reads and keeps the control of nodes (boot.controlfolder).

    A file that cannot be read, or a full disk, costs an order and no boot: the log says so.
    """

    def __init__(self, site: HttpSite) -> None:
        self._site = site

    async def control(self, node: ResolvedNode, mac: str) -> Control:
        """What holds for the script that a machine asks for now."""
        try:
            return await self._control(node, mac)
        except (ProvisionerError, OSError) as error:
            logger.warning("%s boots as it is written: %s", node.name, error)
            return NOTHING

    async def _control(self, node: ResolvedNode, mac: str) -> Control:
        site, now = self._site, self._site.now()
        before = site.steered.controls.read(node.name)
        generation = site.catalogue().find(node.image) if node.image else None
        assigned = generation.name if generation else None
        control = settled(before, assigned, now)
        if control != before:
            control = await self._change(node.name, lambda each: settled(each, assigned, now))
            self._tell_settled(node.name, mac, before, control)
        if assigned and not control.fallback and (found := await self._last_good(node, mac, assigned, control)):
            control = await self._change(node.name, lambda each: replace(each, fallback=found))
            self._tell(node.name, mac, ("boot.fallback", f"{node.name} gets {found}"), level=Level.WARNING)
        return control

    async def _last_good(self, node: ResolvedNode, mac: str, assigned: str, control: Control) -> Fallback | None:
        """The fall-back of a node whose boots failed; its history is looked at only where the last one did."""
        site, now = self._site, self._site.now()
        last = site.ledger.current(mac)
        if not node.boot.attempts or last is None or outcome(last, now) is not Outcome.FAILED:
            return None
        await site.recorder.flush()
        boots = await asyncio.to_thread(site.steered.boots_of, node.name)
        return last_good(boots, assigned, node.boot.attempts, since=control.since, now=now, usable=self._is_usable)

    async def good_generation(self, node: str) -> str | None:
        """The newest generation that was ready on a node and is still there."""
        await self._site.recorder.flush()
        boots = await asyncio.to_thread(self._site.steered.boots_of, node)
        usable = [each for each in boots if self._is_usable(each.generation)]
        return good_generation(usable, now=self._site.now())

    def _is_usable(self, name: str) -> bool:
        generation = self._site.catalogue().find(name)
        return generation is not None and generation.boots

    async def followed(self, node: str, mac: str, once: Once | None, boot: str | None) -> None:
        """Note that a script that follows an order goes out; it must be on the disk before the answer leaves."""
        if once is None:
            return
        now = self._site.now()

        def note(control: Control) -> Control:
            # Another order may have been given meanwhile, and a choice at the menu is no order.
            return replace(control, once=taken(once, boot, now)) if control.once == once else control

        await self._kept(node, note)
        self._tell(node, mac, ("boot.override", f"{node} boots {once}"), level=Level.INFO, boot=boot)

    async def reported(self, record: BootRecord) -> None:
        """Note a report of stage 1, by which an order of its boot is used up."""
        try:
            before = self._site.steered.controls.read(record.node)
        except ProvisionerError as error:
            logger.warning("%s", error)
            return
        if reported(before, record.id) != before:
            await self._kept(record.node, lambda each: reported(each, record.id))

    async def _change(self, node: str, change: _Change) -> Control:
        return await asyncio.to_thread(self._site.steered.controls.change, node, change)

    async def _kept(self, node: str, change: _Change) -> None:
        try:
            await self._change(node, change)
        except (ProvisionerError, OSError) as error:
            logger.warning("the order for %s is not noted as followed: %s", node, error)

    def _tell_settled(self, node: str, mac: str, before: Control, after: Control) -> None:
        if before.once and not after.once and before.once.what not in {DISK, MEMTEST}:
            message = f"{node}: {before.once}: {len(before.once.boots)} boots, and stage 1 never came"
            self._tell(node, mac, ("boot.dropped", message), level=Level.WARNING)
        if before.fallback and not after.fallback:
            message = f"{node} has another image than {before.fallback.failed} now, and gets that"
            self._tell(node, mac, ("boot.returned", message), level=Level.INFO)

    def _tell(self, node: str, mac: str, told: tuple[str, str], *, level: Level, boot: str | None = None) -> None:
        name, message = told
        event = Event(self._site.now(), Stage.SCRIPT, name, message, level, mac=mac, node=node, boot=boot)
        self._site.record(event)
