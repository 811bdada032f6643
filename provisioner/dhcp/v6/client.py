"""Who asks by DHCPv6: the machine, and the program that runs in it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from uuid import UUID

from provisioner.dhcp.client import Program
from provisioner.dhcp.v6.codec import texts, vendor_classes
from provisioner.dhcp.v6.message import Message, Option, Packet, first
from provisioner.model.address import MacAddress
from provisioner.model.boot import Firmware

_ETHERNET = b"\0\x01"
_LLT, _LL, _UUID = b"\0\x01", b"\0\x03", b"\0\x04"


@dataclass(frozen=True, slots=True)
class Client:
    """A machine as it shows itself. `uuids` are the readings of a DUID that is made of one.

    `vendor` is the first vendor class that its firmware names (option 16).
    """

    program: Program
    firmware: Firmware
    mac: MacAddress | None = None
    uuids: tuple[UUID, ...] = ()
    vendor: str = ""


def client_of(packet: Packet, source: IPv6Address) -> Client:
    """Whoever sent a packet that arrived from `source`.

    What names the device that asks goes before what names the machine: a DUID may come from another device, or
    with an image from another machine.
    """
    message = packet.message
    duid = message.option(Option.CLIENT) or b""
    peer = packet.relays[-1].peer if packet.relays else source
    program = _program(message)
    return Client(
        program=program,
        firmware=Firmware.UNKNOWN if program is Program.SYSTEM else _firmware(message),
        mac=_told_by_relay(packet) or _in_address(peer) or _in_duid(duid),
        uuids=_uuids(duid),
        vendor=b"".join(vendor_classes(message.option(Option.VENDOR_CLASS) or b"")[:1]).decode("ascii", "replace"),
    )


def _program(message: Message) -> Program:
    if b"iPXE" in texts(message.option(Option.USER_CLASS) or b""):
        return Program.IPXE
    vendors = vendor_classes(message.option(Option.VENDOR_CLASS) or b"")
    if any(each.startswith(b"HTTPClient") for each in vendors):
        return Program.HTTP
    return Program.PXE if any(each.startswith(b"PXEClient") for each in vendors) else Program.SYSTEM


def _firmware(message: Message) -> Firmware:
    # A list of types in the order of preference (RFC 5970 section 3.3).
    value = message.option(Option.ARCHITECTURE)
    if value is None:
        return Firmware.UNKNOWN
    codes = (int.from_bytes(value[at : at + 2]) for at in range(0, len(value) - 1, 2))
    known = (Firmware.from_architecture(code) for code in codes)
    return next((each for each in known if each is not Firmware.UNKNOWN), Firmware.UNKNOWN)


def _told_by_relay(packet: Packet) -> MacAddress | None:
    """The address that the client's own relay saw (RFC 6939)."""
    value = first(packet.relays[-1].options, Option.LINK_ADDRESS) if packet.relays else None
    return _ethernet(value[:2], value[2:]) if value else None


def _in_address(address: IPv6Address) -> MacAddress | None:
    """The hardware address inside a link-local one (RFC 4291, appendix A): firmware makes it so."""
    octets = address.packed
    if not address.is_link_local or octets[11:13] != b"\xff\xfe":
        return None
    return MacAddress.from_bytes(bytes((octets[8] ^ 2,)) + octets[9:11] + octets[13:16])


def _in_duid(duid: bytes) -> MacAddress | None:
    """The hardware address that a DUID was made of (RFC 8415 sections 11.2 and 11.4)."""
    kind, hardware = duid[:2], duid[2:4]
    if kind == _LLT:
        return _ethernet(hardware, duid[8:])
    return _ethernet(hardware, duid[4:]) if kind == _LL else None


def _ethernet(hardware: bytes, address: bytes) -> MacAddress | None:
    return MacAddress.from_bytes(address) if hardware == _ETHERNET and len(address) == 6 else None


def _uuids(duid: bytes) -> tuple[UUID, ...]:
    # RFC 6355 says network order; UEFI copies the SMBIOS table, whose first three fields are little-endian.
    if duid[:2] != _UUID or len(duid) != 18:
        return ()
    return UUID(bytes=duid[2:]), UUID(bytes_le=duid[2:])
