"""Hardware addresses, and addresses that count with the number of a node."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_SEPARATORS = re.compile(r"[:.\-]")
_HEX12 = re.compile(r"[0-9a-f]{12}")
_HEX40 = re.compile(r"[0-9a-f]{40}")
_HEX12_DIGITS = 12
_OCTETS = 6
_GUID_OCTETS = 8


class MacAddress(str):
    """An Ethernet address in its one canonical form, `52:54:00:12:34:56`.

    Accepts colons, hyphens, Cisco's dotted groups and bare hexadecimal, in either case; anything else is a
    ValueError. (Twenty-byte InfiniBand addresses are not Ethernet addresses and are refused.)
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Parse any accepted spelling."""
        digits = _SEPARATORS.sub("", text.strip().lower())
        if not _HEX12.fullmatch(digits):
            raise ValueError(f"{text!r} is not a MAC address; expected six bytes such as 52:54:00:12:34:56")
        return super().__new__(cls, ":".join(digits[i : i + 2] for i in range(0, 12, 2)))

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """The address made of six octets."""
        # Without a look at the text: every DHCP message comes by here.
        return super().__new__(cls, octets.hex(":")) if len(octets) == _OCTETS else cls(octets.hex())

    @classmethod
    def from_guid(cls, guid: bytes) -> Self:
        """The address that stands for an InfiniBand port where six octets must do, made of its GUID's eight.

        Drivers and iPXE make it in this way: the maker's three, and the last three.
        """
        return cls.from_bytes(guid[:3] + guid[5:8])

    @property
    def octets(self) -> bytes:
        """The six octets."""
        return bytes.fromhex(self.replace(":", ""))

    @property
    def hyphenated(self) -> str:
        """`52-54-00-12-34-56`: the form that needs no escaping in a URL."""
        return self.replace(":", "-")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class InfinibandAddress(str):
    """A twenty-byte IP-over-InfiniBand hardware address (RFC 4391 section 9.1.1), as colon-separated bytes."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Parse bytes with colons, hyphens or nothing between them; ValueError says what was expected."""
        digits = _SEPARATORS.sub("", text.strip().lower())
        if not _HEX40.fullmatch(digits):
            raise ValueError(
                f"{text!r} is not an InfiniBand address; expected twenty bytes such as 80:00:00:48:..."
            )
        return super().__new__(cls, ":".join(digits[i : i + 2] for i in range(0, 40, 2)))

    @property
    def guid(self) -> bytes:
        """The eight octets that name the port: the last ones of the address, which do not change at a reboot."""
        return bytes.fromhex(self.replace(":", ""))[-_GUID_OCTETS:]

    @staticmethod
    def looks_like(text: str) -> bool:
        """Whether a text has far more digits than a MAC, so that it was meant as an InfiniBand address."""
        return len(_SEPARATORS.sub("", text)) > 2 * _HEX12_DIGITS

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


Address = IPv4Address | IPv6Address


class AddressPattern(str):
    """One address (`10.0.1.7`), or one that counts (`10.0.1.1+`).

    A counting address belongs to the node with number 1; number n gets the address n - 1 further on, so no
    node's address depends on which other nodes exist.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the address; ValueError says what was expected."""
        try:
            ip_address(text.removesuffix("+"))
        except ValueError:
            raise ValueError(f"{text!r} is not an address; expected 10.0.1.7, or 10.0.1.1+ to count") from None
        return super().__new__(cls, text)

    @property
    def counts(self) -> bool:
        """Whether the address depends on the number of the node."""
        return self.endswith("+")

    def resolve(self, number: int | None) -> Address:
        """The address of the node with this number (the last run of digits in its name, None without one)."""
        base = ip_address(self.removesuffix("+"))
        if not self.counts:
            return base
        if number is None:
            raise ValueError(f"{self} counts by the node's number, but the name of the node has none")
        return base + (number - 1)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


_LAST_NUMBER = re.compile(r"(\d+)\D*$")


def http_url(address: Address, port: int, *, scheme: str = "http") -> str:
    """The URL of a server; an IPv6 address stands in brackets there (RFC 3986 section 3.2.2)."""
    host = f"[{address}]" if address.version == 6 else f"{address}"
    return f"{scheme}://{host}:{port}"


def node_number(name: str) -> int | None:
    """The number of a node: the last run of digits in its short name (`r2n017` is 17), or None."""
    match = _LAST_NUMBER.search(name.split(".", 1)[0])
    return int(match.group(1)) if match else None
