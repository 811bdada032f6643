"""The programs that ask by DHCPv6 while a machine boots, as the messages that they send."""

from __future__ import annotations

from ipaddress import IPv6Address
from struct import pack

from provisioner.dhcp.v6.message import Association, Kind, Message, Option, Options, Packet
from provisioner.model.address import MacAddress
from provisioner.operations.firmware import Asker

SOURCE = IPv6Address("fe80::1")
"""Some address on the link: the machine is told by its DUID."""

# The enterprise that UEFI names in its vendor class: Intel (UEFI specification 2.10, section 24.7.3).
_ENTERPRISE = 343
_ARCHITECTURES = {
    Asker.UEFI: 0x07,
    Asker.UEFI_HTTP: 0x10,
    Asker.ARM64: 0x0B,
    Asker.ARM64_HTTP: 0x13,
    Asker.IPXE: 0x07,
}


def solicit(asker: Asker, mac: MacAddress) -> Packet | None:
    """The SOLICIT of a program (RFC 8415 section 18.2.1, RFC 5970); None for one that speaks IPv4 alone."""
    code = _ARCHITECTURES.get(asker)
    if code is None:
        return None
    vendor = "HTTPClient" if asker in (Asker.UEFI_HTTP, Asker.ARM64_HTTP) else "PXEClient"
    options: Options = (
        # A DUID made of the hardware address (section 11.4).
        (Option.CLIENT, b"\0\x03\0\x01" + mac.octets),
        (Option.ARCHITECTURE, pack("!H", code)),
        (Option.VENDOR_CLASS, pack("!I", _ENTERPRISE) + _text(f"{vendor}:Arch:{code:05}:UNDI:003001")),
    )
    if asker is Asker.IPXE:
        options += ((Option.USER_CLASS, _text("iPXE")),)
    return Packet(Message(Kind.SOLICIT, 1, associations=(Association(1),), options=options))


def _text(value: str) -> bytes:
    return pack("!H", len(value)) + value.encode()
