"""Who may read which root: a name of an export is a token, and the rule is that of all other fetches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioner.boot.access import Denied, Resource, access, requester_of
from provisioner.boot.ledger import Ledger
from provisioner.errors import IntegrityError
from provisioner.model.boot import BootRecord
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import Event, EventSink, Level, Stage
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from provisioner.nbd.export import Export, Part
from provisioner.trust.token import TokenError, TokenMint


@dataclass(frozen=True)
class NbdSite:
    """The collaborators of the NBD service. `now` gives Unix seconds, `artifact` the file of a digest."""

    snapshot: Callable[[], Snapshot]
    catalogue: Callable[[], Catalogue]
    artifact: Callable[[str], Path]
    ledger: Ledger
    mint: TokenMint
    record: EventSink
    now: Callable[[], float]
    tally: Tally


@dataclass(frozen=True)
class Opened:
    """An export, and the boot that reads it."""

    record: BootRecord
    export: Export


class Desk:
    """Opens names of exports, and writes down what becomes of them."""

    def __init__(self, site: NbdSite) -> None:
        self.site = site

    def open(self, name: str, remote: str) -> Opened | Denied:
        """The export of a token, or why not; a refusal is recorded.

        Raises IntegrityError where files of the image are gone or damaged.
        """
        found = self._boot(name, remote)
        if isinstance(found, Denied):
            return found
        generation = self.site.catalogue().find(found.generation)
        if generation is None or generation.root is None or generation.verity is None:
            raise IntegrityError(f"{found.generation}, which boot {found.id} holds to, is gone from the store")
        artifacts = (generation.root, generation.verity)
        return Opened(found, Export([Part(self.site.artifact(each.digest), each.size) for each in artifacts]))

    def is_over(self, record: BootRecord) -> bool:
        """Whether the machine of a boot has booted again since."""
        newest = self.site.ledger.current(record.mac)
        return newest is not None and newest.id != record.id

    def _boot(self, name: str, remote: str) -> BootRecord | Denied:
        try:
            claims = self.site.mint.verify(name, now=self.site.now())
        except TokenError as error:
            return self._deny(Denied(error.message), None, remote)
        record = self.site.ledger.find(claims)
        requester = requester_of(claims, remote, self.site.snapshot())
        denied = access(claims, record, Resource.STREAM, requester=requester, now=self.site.now())
        if denied or record is None:
            return self._deny(denied or Denied("no boot"), record, remote)
        return record

    def _deny(self, denied: Denied, record: BootRecord | None, remote: str) -> Denied:
        self.tell("access.denied", f"stream: {denied.reason}", record, remote, level=denied.level)
        return denied

    def tell(
        self,
        name: str,
        message: str,
        record: BootRecord | None,
        remote: str,
        *,
        level: Level = Level.INFO,
        size: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Record an event of a stream."""
        self.site.record(
            Event(
                time=self.site.now(),
                stage=Stage.IMAGE if name.startswith("stream.") else Stage.SITE,
                name=name,
                message=message,
                level=level,
                mac=record.mac if record else None,
                node=record.node if record else None,
                boot=record.id if record else None,
                address=remote,
                bytes=size,
                seconds=seconds,
            )
        )
