"""The programs that ask by DHCP while a machine boots, as the messages that they send."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from provisioner.dhcp.message import Kind, Message, Op, Option
from provisioner.model.address import MacAddress


class Asker(StrEnum):
    """A program that asks for an address and for what to load next."""

    BIOS = "bios"
    UEFI = "uefi"
    UEFI_HTTP = "uefi-http"
    ARM64 = "arm64"
    ARM64_HTTP = "arm64-http"
    IPXE = "ipxe"

    def discover(self, mac: MacAddress) -> Message:
        """The DISCOVER of this program (RFC 4578; RFC 3004 for iPXE's user class)."""
        options = {Option.KIND: bytes((Kind.DISCOVER,)), **_OPTIONS[self]}
        return Message(Op.REQUEST, 1, mac.octets, options=MappingProxyType(options))


def askers_for(architecture: str) -> tuple[Asker, ...]:
    """The programs that machines of an architecture (as `uname -m`) have; of every kind for any other text."""
    arm = (Asker.ARM64, Asker.ARM64_HTTP)
    if architecture == "x86_64":
        return tuple(each for each in Asker if each not in arm)
    return (*arm, Asker.IPXE) if architecture == "aarch64" else tuple(Asker)


def _firmware(vendor: str, code: int) -> Mapping[int, bytes]:
    text = f"{vendor}:Arch:{code:05}:UNDI:003001"
    return {Option.ARCHITECTURE: code.to_bytes(2, "big"), Option.VENDOR_CLASS: text.encode()}


_OPTIONS: Mapping[Asker, Mapping[int, bytes]] = {
    Asker.BIOS: _firmware("PXEClient", 0x0000),
    Asker.UEFI: _firmware("PXEClient", 0x0007),
    Asker.UEFI_HTTP: _firmware("HTTPClient", 0x0010),
    Asker.ARM64: _firmware("PXEClient", 0x000B),
    Asker.ARM64_HTTP: _firmware("HTTPClient", 0x0013),
    Asker.IPXE: {**_firmware("PXEClient", 0x0000), Option.USER_CLASS: b"iPXE"},
}
