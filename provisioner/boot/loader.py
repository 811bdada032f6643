"""Which loader does the firmware of a machine get, and why? One pure answer for DHCP, DHCPv6 and rehearsals.

The node's own word comes first, then the site's for the vendor class that the firmware names, then an order: iPXE
on the firmware's network driver, iPXE with its own drivers, the signed shim. A machine that fetched loaders and
never came to its script gets the next one of that order (`boot.attempts`); one that was named stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provisioner.boot.quirks import NO_HTTP_IN_GRUB
from provisioner.model.boot import Firmware, Machine
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import LoaderKind

_X64 = {LoaderKind.SNPONLY: "snponly.efi", LoaderKind.IPXE: "ipxe.efi", LoaderKind.SHIM: "shimx64.efi"}
_ARM64 = {
    LoaderKind.SNPONLY: "snponly-arm64.efi",
    LoaderKind.IPXE: "ipxe-arm64.efi",
    LoaderKind.SHIM: "shimaa64.efi",
}
# In the order in which they are tried.
_FILES: Mapping[Firmware, Mapping[LoaderKind, str]] = {
    Firmware.BIOS: {LoaderKind.SNPONLY: "undionly.kpxe", LoaderKind.IPXE: "ipxe.pxe"},
    Firmware.EFI_X64: _X64,
    Firmware.EFI_X64_HTTP: _X64,
    Firmware.EFI_ARM64: _ARM64,
    Firmware.EFI_ARM64_HTTP: _ARM64,
}
_BY_HTTP = frozenset({Firmware.EFI_X64_HTTP, Firmware.EFI_ARM64_HTTP})

SECOND_STAGES: Mapping[str, str] = {"shimx64.efi": "grubx64.efi", "shimaa64.efi": "grubaa64.efi"}
"""What a shim loads from beside itself."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The loaders that the head node has. `names` is None where nobody looked: then iPXE counts as there.

    `http_grubs` are those signed GRUBs that can fetch by HTTP.
    """

    names: frozenset[str] | None = None
    http_grubs: frozenset[str] = frozenset()

    def has(self, file: str) -> bool:
        """Whether a loader is there, and what it loads next."""
        second = SECOND_STAGES.get(file)
        if self.names is None:
            return second is None
        return file in self.names and (second is None or second in self.names)


NOT_LOOKED_AT = Shelf()


@dataclass(frozen=True, slots=True)
class Choice:
    """The file that firmware is given, or None; `reason` is for people, empty where nothing is to say."""

    file: str | None
    reason: str = ""


def choose(
    machine: Machine, node: ResolvedNode | None, shelf: Shelf, *, said: Mapping[str, LoaderKind], step: int = 0
) -> Choice:
    """The loader for a machine that asks by its firmware.

    `said` are the site's words for vendor classes, `step` how often the order was gone on with since the machine
    came to a script.
    """
    files = _FILES.get(machine.firmware)
    if files is None:
        return Choice(None, "there is no loader for the architecture")
    kind, why = _wanted(machine, node, said)
    if kind is LoaderKind.AUTO:
        return _in_order(machine.firmware, files, shelf, step)
    file = files.get(kind)
    if file is None:
        return Choice(files[LoaderKind.SNPONLY], f"{why}, which {machine.firmware.value} has no file for")
    if kind is LoaderKind.SHIM and (obstacle := _obstacle(machine.firmware, file, shelf)):
        return Choice(None, f"{why}, but {obstacle}")
    return Choice(file, why)


def _wanted(machine: Machine, node: ResolvedNode | None, said: Mapping[str, LoaderKind]) -> tuple[LoaderKind, str]:
    """The kind that somebody wrote, and who."""
    own = node.boot.loader if node else LoaderKind.AUTO
    if node is not None and own is not LoaderKind.AUTO:
        return own, f"{node.name} has boot.loader={own}"
    fitting = [vendor for vendor in said if machine.vendor.startswith(vendor)]
    if fitting:
        vendor = max(fitting, key=len)
        return said[vendor], f"the site has loaders: {{{vendor}: {said[vendor]}}}"
    return LoaderKind.AUTO, ""


def _in_order(firmware: Firmware, files: Mapping[LoaderKind, str], shelf: Shelf, step: int) -> Choice:
    order = [file for file in files.values() if _obstacle(firmware, file, shelf) is None]
    if not order:
        return Choice(files[LoaderKind.SNPONLY])
    at = step % len(order)
    before = order[at - 1]
    return Choice(
        order[at], f"because {before} did not come to its script" if step and before != order[at] else ""
    )


def _obstacle(firmware: Firmware, file: str, shelf: Shelf) -> str | None:
    """What keeps a loader from working at all, or None."""
    if not shelf.has(file):
        return f"{file} is not on this head node (docs/secure-boot.md tells what to install)"
    second = SECOND_STAGES.get(file)
    if second is not None and firmware in _BY_HTTP and second not in shelf.http_grubs:
        return NO_HTTP_IN_GRUB.effect
    return None
