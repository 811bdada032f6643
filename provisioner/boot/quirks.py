"""What firmware and loaders do that no standard says: a table, each row with its evidence.

`prov doctor` and docs/firmware.md show it. A row without a machine that showed it, or a document that says so,
does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quirk:
    """One row: whom it is about, what this program does for it, and where it was seen."""

    name: str
    match: str
    effect: str
    evidence: str


NO_ARCHITECTURE = Quirk(
    "no-architecture",
    "PXE firmware without option 93",
    "it counts as BIOS",
    "RFC 4578 section 2.1 makes the option a must; ROMs older than it send none",
)
EFI_BC = Quirk(
    "efi-bc",
    "option 93 = 9",
    "it counts as UEFI for x86-64, as 7 does",
    "an erratum to RFC 4578 exchanges the numbers of EFI BC and EFI x86-64; IANA lists both",
)
NO_HTTP_IN_GRUB = Quirk(
    "grub-without-http",
    "HTTP boot firmware, and a signed GRUB without its HTTP module",
    "the signed GRUB on this head node cannot fetch by HTTP: let this machine boot by PXE",
    "grubnetx64.efi.signed 1+2.06+13+deb12u2 has tftp and no http; its lockdown loads no module besides",
)
SIZE_FIRST = Quirk(
    "size-first",
    "OVMF by TFTP",
    "a transfer that ends before its first block is no failure",
    "edk2 2022.11 asks for tsize, breaks off, and asks again with blksize and windowsize",
)
EMPTY_404 = Quirk(
    "empty-404",
    "shim by HTTP",
    "every error that is answered by HTTP has a body",
    "shim 16.1 hung in two of three boots on a 404 without one, which it gets for revocations_sku.efi",
)
IPXE_WITHOUT_LEASE_OF_IPV6 = Quirk(
    "ipxe-router-wait",
    "iPXE on a network where no router answers",
    "router solicitations are answered with an advertisement that promises nothing",
    "iPXE 1.0.0+git-20190125 waits 13 s for IPv6 otherwise",
)

QUIRKS = (NO_ARCHITECTURE, EFI_BC, NO_HTTP_IN_GRUB, SIZE_FIRST, EMPTY_404, IPXE_WITHOUT_LEASE_OF_IPV6)
