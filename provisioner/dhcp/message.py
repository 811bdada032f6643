"""A DHCP message as a value: the fields of RFC 2131 section 2, the options of RFC 2132 as raw bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address
from types import MappingProxyType

NO_ADDRESS = IPv4Address(0)
ETHERNET = 1
INFINIBAND = 32
BROADCAST_FLAG = 0x8000


class Op(IntEnum):
    """Who speaks: the first octet of a message."""

    REQUEST = 1
    REPLY = 2


class Kind(IntEnum):
    """The message type, option 53 (RFC 2132 section 9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Option(IntEnum):
    """The option codes that the policy reads or writes."""

    SUBNET_MASK = 1
    ROUTER = 3
    DNS = 6
    HOST_NAME = 12
    DOMAIN_NAME = 15
    VENDOR = 43
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    KIND = 53
    SERVER = 54
    WANTED = 55
    TEXT = 56
    RENEWAL_TIME = 58
    REBINDING_TIME = 59
    VENDOR_CLASS = 60
    CLIENT = 61
    BOOT_SERVER = 66
    BOOT_FILE = 67
    USER_CLASS = 77
    RELAY = 82
    ARCHITECTURE = 93
    MACHINE = 97
    DOMAIN_SEARCH = 119
    IPXE = 175


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `chaddr` holds only the octets that count; `sname` and `file` end before their first zero.

    `options` maps a code to its whole value, whatever number of pieces it had on the wire; pad, end and
    overload (0, 255, 52) belong to the wire format and never appear.
    """

    op: Op
    xid: int
    chaddr: bytes
    htype: int = ETHERNET
    hops: int = 0
    secs: int = 0
    flags: int = 0
    ciaddr: IPv4Address = NO_ADDRESS
    yiaddr: IPv4Address = NO_ADDRESS
    siaddr: IPv4Address = NO_ADDRESS
    giaddr: IPv4Address = NO_ADDRESS
    sname: bytes = b""
    file: bytes = b""
    options: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def kind(self) -> Kind | None:
        """The message type; None for plain BOOTP and for types that RFC 2132 does not know."""
        value = self.options.get(Option.KIND, b"")
        return _KINDS.get(value[0]) if len(value) == 1 else None

    def address(self, option: Option) -> IPv4Address | None:
        """The address in an option, or None where it is missing or not four octets."""
        value = self.options.get(option)
        return IPv4Address(value) if value is not None and len(value) == 4 else None


_KINDS = {kind.value: kind for kind in Kind}
