"""A DHCPv6 message as a value: RFC 8415 sections 8, 9 and 21. Options that we do not take apart are raw bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address

SERVER_PORT = 547
CLIENT_PORT = 546
ALL_SERVERS = IPv6Address("ff02::1:2")
"""The group that clients and relays speak to (section 7.1)."""


class Kind(IntEnum):
    """The message types (section 7.3)."""

    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    CONFIRM = 4
    RENEW = 5
    REBIND = 6
    REPLY = 7
    RELEASE = 8
    DECLINE = 9
    RECONFIGURE = 10
    INFORMATION_REQUEST = 11
    RELAY_FORWARD = 12
    RELAY_REPLY = 13


class Option(IntEnum):
    """The option codes that codec and policy know (sections 21, RFC 3646, RFC 5970, RFC 6939)."""

    CLIENT = 1
    SERVER = 2
    IA_NA = 3
    IA_ADDRESS = 5
    PREFERENCE = 7
    RELAY_MESSAGE = 9
    STATUS = 13
    RAPID_COMMIT = 14
    USER_CLASS = 15
    VENDOR_CLASS = 16
    INTERFACE = 18
    DNS = 23
    DOMAINS = 24
    BOOT_FILE_URL = 59
    ARCHITECTURE = 61
    LINK_ADDRESS = 79


class StatusCode(IntEnum):
    """What became of a request (section 21.13)."""

    SUCCESS = 0
    NO_ADDRESSES = 2
    NO_BINDING = 3
    NOT_ON_LINK = 4


@dataclass(frozen=True, slots=True)
class Status:
    """A status and a sentence for people."""

    code: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Lent:
    """An address with its lifetimes in seconds; 0 takes it away."""

    address: IPv6Address
    preferred: int = 0
    valid: int = 0


@dataclass(frozen=True, slots=True)
class Association:
    """The addresses of one interface of the client (IA_NA, section 21.4); T1 and T2 in seconds."""

    iaid: int
    t1: int = 0
    t2: int = 0
    addresses: tuple[Lent, ...] = ()
    status: Status | None = None


# A code may come again, so options are pairs and not a map.
Options = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What a client or server says. `kind` may be a number that no RFC knows; `transaction` has 24 bits."""

    kind: int
    transaction: int
    associations: tuple[Association, ...] = ()
    status: Status | None = None
    options: Options = ()

    def option(self, code: int) -> bytes | None:
        """The first option with a code."""
        return first(self.options, code)


@dataclass(frozen=True, slots=True)
class Relay:
    """What one relay put around a message (section 9): `link` is its address on the client's link, or zero."""

    hops: int
    link: IPv6Address
    peer: IPv6Address
    options: Options = ()


@dataclass(frozen=True, slots=True)
class Packet:
    """A message and the relays that it came through, the nearest to the server first."""

    message: Message
    relays: tuple[Relay, ...] = ()


def first(options: Options, code: int) -> bytes | None:
    """The first option with a code."""
    return next((value for each, value in options if each == code), None)
