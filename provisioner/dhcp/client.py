"""Who asks by DHCP: the machine, and what the program that runs in it can load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from provisioner.dhcp.message import ETHERNET, INFINIBAND, Message, Option
from provisioner.model.address import MacAddress
from provisioner.model.boot import Firmware, Machine

_IPXE = b"iPXE"
_MAC_SIZE = 6
_GUID_SIZE = 8


class Program(Enum):
    """What sends the message, as far as it decides the answer."""

    PXE = "PXE firmware"
    HTTP = "HTTP boot firmware"
    IPXE = "iPXE"
    SYSTEM = "an operating system"


@dataclass(frozen=True, slots=True)
class Client:
    """A machine and the program that asks on its behalf."""

    machine: Machine
    program: Program


def hardware_of(message: Message) -> MacAddress | None:
    """The address that the machine is known by, or None where it shows none that fits.

    An InfiniBand device has no room for its address (RFC 4390 section 2.1): its GUID ends the client identifier,
    whether iPXE made that of the GUID alone, or a system of a type, an identity and the GUID.
    """
    if message.htype == INFINIBAND:
        identifier = message.options.get(Option.CLIENT, b"")
        if len(identifier) > _GUID_SIZE:
            return MacAddress.from_guid(identifier[-_GUID_SIZE:])
    elif message.htype != ETHERNET:
        return None
    return MacAddress.from_bytes(message.chaddr) if len(message.chaddr) == _MAC_SIZE else None


def client_of(message: Message, hardware: MacAddress | None = None) -> Client:
    """Whoever sent the message, known by `hardware`, else by what `hardware_of` finds; ValueError without either.

    The ROM iPXE and the one that it loads look the same, and both are PXE clients by option 60 too: user class
    or option 175 goes first, otherwise the loader would load itself for ever.
    """
    program = _program(message.options)
    machine = Machine(
        mac=hardware or hardware_of(message) or MacAddress.from_bytes(message.chaddr),
        firmware=Firmware.UNKNOWN if program is Program.SYSTEM else _firmware(message),
        runs_ipxe=program is Program.IPXE,
        uuid=_uuid(message),
        vendor=message.options.get(Option.VENDOR_CLASS, b"").decode("ascii", errors="replace"),
    )
    return Client(machine, program)


def _program(options: Mapping[int, bytes]) -> Program:
    user_class = options.get(Option.USER_CLASS)
    if Option.IPXE in options or (user_class is not None and _IPXE in _user_classes(user_class)):
        return Program.IPXE
    vendor = options.get(Option.VENDOR_CLASS, b"")
    if vendor.startswith(b"HTTPClient"):
        return Program.HTTP
    return Program.PXE if vendor.startswith(b"PXEClient") else Program.SYSTEM


def _user_classes(value: bytes) -> list[bytes]:
    # RFC 3004 puts a length before each class; iPXE and others send one bare class.
    classes, at = [value], 0
    while at < len(value):
        classes.append(value[at + 1 : at + 1 + value[at]])
        at += 1 + value[at]
    return classes


def _firmware(message: Message) -> Firmware:
    # A list of types in the order of preference (RFC 4578 section 2.1).
    value = message.options.get(Option.ARCHITECTURE)
    if value is None:
        return Firmware.from_architecture(None)
    if len(value) == 2:
        return Firmware.from_architecture(int.from_bytes(value, "big"))
    codes = [int.from_bytes(value[at : at + 2], "big") for at in range(0, len(value) - 1, 2)]
    known = (Firmware.from_architecture(code) for code in codes)
    return next((each for each in known if each is not Firmware.UNKNOWN), Firmware.UNKNOWN)


def _uuid(message: Message) -> str | None:
    # Type 0 and the SMBIOS identifier, whose first three fields are little-endian (RFC 4578 section 2.3).
    value = message.options.get(Option.MACHINE, b"")
    if len(value) != 17 or value[0] != 0:
        return None
    digits = (value[4:0:-1] + value[6:4:-1] + value[8:6:-1] + value[9:]).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
