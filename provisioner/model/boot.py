"""What a machine shows of itself while it boots, and what it is told to boot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from provisioner.model.address import MacAddress
from provisioner.model.image import Generation
from provisioner.model.resolved import ResolvedInterface, ResolvedNode


class Firmware(Enum):
    """What runs in the machine when it asks: chooses the loader (RFC 4578 section 2.1, IANA's arch types)."""

    BIOS = "bios"
    EFI_X64 = "efi-x64"
    EFI_ARM64 = "efi-arm64"
    EFI_X64_HTTP = "efi-x64-http"
    EFI_ARM64_HTTP = "efi-arm64-http"
    UNKNOWN = "unknown"

    @classmethod
    def from_architecture(cls, code: int | None) -> Firmware:
        """The firmware behind DHCP option 93; no option at all is an old BIOS ROM or no firmware."""
        return _BY_ARCHITECTURE.get(code, cls.UNKNOWN)

    @property
    def loader(self) -> str | None:
        """The file name of the loader that suits this firmware."""
        return _LOADERS.get(self)


_BY_ARCHITECTURE = {
    None: Firmware.BIOS,
    0x0000: Firmware.BIOS,
    0x0007: Firmware.EFI_X64,
    0x0009: Firmware.EFI_X64,
    0x000B: Firmware.EFI_ARM64,
    0x0010: Firmware.EFI_X64_HTTP,
    0x0013: Firmware.EFI_ARM64_HTTP,
}

_LOADERS = {
    Firmware.BIOS: "undionly.kpxe",
    Firmware.EFI_X64: "snponly.efi",
    Firmware.EFI_X64_HTTP: "snponly.efi",
    Firmware.EFI_ARM64: "snponly-arm64.efi",
    Firmware.EFI_ARM64_HTTP: "snponly-arm64.efi",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine showed of itself. Identity is the MAC alone; the rest is evidence.

    `vendor` is the vendor class that its firmware names (option 60), `memory` in bytes.
    """

    mac: MacAddress
    firmware: Firmware = Firmware.UNKNOWN
    runs_ipxe: bool = False
    uuid: str | None = None
    vendor: str = ""
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Boot:
    """The machine is this node and boots this generation, by this interface, which has an IPv4 address.

    With `rescue` stage 1 stops before the root with a shell. `unified`: where the firmware is UEFI, kernel and
    stage 1 are loaded as one program that the site signed.
    """

    node: ResolvedNode
    generation: Generation
    interface: ResolvedInterface
    reason: str
    rescue: bool = False
    unified: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """No node has this MAC. `survey` is the generation whose stage 1 looks at such machines, if the site wants."""

    mac: MacAddress
    reason: str
    survey: Generation | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The machine is this node, but it cannot boot; `hint` is the command that changes that."""

    node: ResolvedNode
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Local:
    """The machine is this node, and boots what is installed on its own disk; the head node gives it no image."""

    node: ResolvedNode
    reason: str


@dataclass(frozen=True, slots=True)
class MemoryTest:
    """The machine is this node, and tests its memory."""

    node: ResolvedNode
    reason: str


@dataclass(frozen=True, slots=True)
class Menu:
    """The machine is this node, and whoever sits at it may choose: words and what they mean, the default first."""

    node: ResolvedNode
    entries: tuple[tuple[str, str], ...]
    reason: str


Decision = Boot | Local | MemoryTest | Unknown | Refused

Other = Local | MemoryTest | Menu | Unknown | Refused
"""What has a script and opens no boot."""


class TokenStage(StrEnum):
    """The stretches of a boot, in their order; a token covers one of them, that of `stream` all of it."""

    SCRIPT = "script"
    STAGE1 = "stage1"
    SYSTEM = "system"
    STREAM = "stream"

    @property
    def lifetime(self) -> int:
        """Seconds from issue to expiry: a slow boot fits in, a forgotten token does not live for ever.

        Stage 1 may wait for its image behind ten thousand others (boot.admission). A root that streams is read for
        as long as the machine runs, and a node whose head node was away for weeks could fetch no new token before
        it can read again: that one ends with its boot, and with the keys.
        """
        years = 10 * 365 * 24
        hours = {TokenStage.SCRIPT: 1, TokenStage.STAGE1: 12, TokenStage.SYSTEM: 7 * 24, TokenStage.STREAM: years}
        return hours[self] * 3600


@dataclass(frozen=True, slots=True)
class BootRecord:
    """One boot. `stage` is the one that is open; times are Unix seconds.

    `state` is a word for people: script, stage1, rescue, system, ready, degraded, failed, superseded or local, a
    boot of the machine's own disk, which has no generation.
    """

    id: str
    node: str
    mac: str
    generation: str
    revision: str
    opened: float
    stage: TokenStage
    state: str
    changed: float
    reason: str = ""
