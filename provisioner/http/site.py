"""What the HTTP service needs from the rest of the daemon, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from provisioner.boot.attempts import Attempts
from provisioner.boot.ledger import Ledger
from provisioner.boot.script import Language, ScriptTokens
from provisioner.events.inbox import Inbox
from provisioner.http.looks import Looks
from provisioner.http.pokes import Pokes
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, BootRecord, Other
from provisioner.model.bootcontrol import NOTHING, Control
from provisioner.model.catalogue import Catalogue
from provisioner.model.event import EventSink
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from provisioner.model.tpm import KnownTpm
from provisioner.overlay.rendered import OverlayKind, RenderedOverlay
from provisioner.trust.signing import SigningKeys
from provisioner.trust.tls import Certificate
from provisioner.trust.token import TokenMint
from provisioner.trust.tpm.attestor import Attestor


class Rendering(Protocol):
    """Renders outside the event loop; every method raises ProvisionerError where a template fails."""

    async def boot_script(
        self,
        decision: Boot,
        revision: str,
        tokens: ScriptTokens,
        mac: MacAddress,
        url: str,
        *,
        language: Language,
    ) -> str:
        """The script that boots a node at a revision; `url` is ours."""

    async def other_script(
        self, decision: Other, revision: str, mac: MacAddress, url: str, *, language: Language
    ) -> str:
        """The script of a machine that boots no image."""

    async def overlay(self, revision: str, node: str, kind: OverlayKind, generation: str) -> RenderedOverlay:
        """The overlay archive of a node at a revision, over the image that it boots (`debian-12@3`)."""


class Recorder(Protocol):
    """Keeps what nodes say of themselves."""

    def save_report(self, node: str, boot: str, time: float, facts: dict[str, str]) -> None:
        """Keep the last report of a running node."""

    async def flush(self) -> None:
        """Wait until everything recorded so far is on the disk."""


class Controls(Protocol):
    """What was ordered for single boots of nodes (boot.controlfolder)."""

    def read(self, node: str) -> Control:
        """What holds for a node."""

    def change(self, node: str, change: Callable[[Control], Control]) -> Control:
        """Replace it, on the disk before this returns."""


class NoControls:
    """Nothing is ordered."""

    def read(self, node: str) -> Control:
        """Nothing."""
        del node
        return NOTHING

    def change(self, node: str, change: Callable[[Control], Control]) -> Control:
        """What would be kept."""
        del node
        return change(NOTHING)


@dataclass(frozen=True, slots=True)
class Steered:
    """What makes a boot another one than usual, and what is kept of it.

    `boots_of` gives the boots of a node, newest first; `tools` are programs that machines may run, by name;
    `keep_log` keeps what the machine of a boot logged, `keep_hardware` what the machine with a MAC is.
    """

    controls: Controls = field(default_factory=NoControls)
    boots_of: Callable[[str], Sequence[BootRecord]] = lambda _: ()
    tools: Mapping[str, Path] = field(default_factory=dict)
    keep_log: Callable[[str, bytes], None] = lambda _boot, _packed: None
    keep_hardware: Callable[[str, Mapping[str, str]], None] = lambda _mac, _facts: None


@dataclass(frozen=True, slots=True)
class Attesting:
    """Who challenges the TPMs of machines; `change` replaces what is known of a node's, on the disk."""

    attestor: Attestor
    change: Callable[[str, Callable[[KnownTpm], KnownTpm]], KnownTpm]


@dataclass(frozen=True)
class HttpSite:
    """The collaborators of the HTTP service.

    `now` gives Unix seconds, `artifact` the file of a digest, `mac_of` the holder of an address of a pool,
    `link_of` the measured bits a second of the link to a network. `tls` is what is shown to those who come by TLS.
    `url_in` tells where this head node answers in a network of the site.
    `signing` are the keys of the site that machines check answers with; without it nothing is signed.
    """

    snapshot: Callable[[], Snapshot]
    catalogue: Callable[[], Catalogue]
    artifact: Callable[[str], Path]
    loaders: Mapping[str, bytes]
    mac_of: Callable[[IPv4Address], MacAddress | None]
    rendering: Rendering
    ledger: Ledger
    mint: TokenMint
    record: EventSink
    recorder: Recorder
    now: Callable[[], float]
    url_in: Callable[[str], str]
    pokes: Pokes = field(default_factory=Pokes)
    looks: Looks = field(default_factory=Looks)
    tally: Tally = field(default_factory=Tally)
    link_of: Callable[[str], int | None] = lambda _: None
    tls: Certificate | None = None
    attempts: Attempts = field(default_factory=Attempts)
    inbox: Inbox = field(default_factory=Inbox)
    signing: SigningKeys | None = None
    steered: Steered = field(default_factory=Steered)
    attesting: Attesting | None = None
