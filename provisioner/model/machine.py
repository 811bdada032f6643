"""A machine that is no node, by what it showed: to the DHCP server, and in the query of its script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

LONGEST = 96
"""How many characters of one thing that a machine says are kept."""

# What iPXE's script for unknown machines sends (templates/unknown.ipxe.j2), and where it is kept.
_SAID = {
    "uuid": "uuid",
    "serial": "serial",
    "asset": "asset",
    "manufacturer": "manufacturer",
    "product": "product",
    "buildarch": "architecture",
    "platform": "platform",
}
_PORT, _CHASSIS, _SWITCH = "lldp_port", "lldp_chassis", "lldp_name"
_PRINTABLE = re.compile(r"[ -~]+")
_HEX = re.compile(r"(?:[0-9a-f]{2}){2,128}")
_TELLING = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{2,63}")
# What makers of boards leave in the fields that tell one machine from another.
_BLANKS = frozenset(
    {
        "0123456789",
        "123456789",
        "1234567890",
        "asset-1234567890",
        "chassisserialnumber",
        "defaultstring",
        "empty",
        "na",
        "n/a",
        "noasset",
        "noassettag",
        "noassetinformation",
        "none",
        "notapplicable",
        "notavailable",
        "notspecified",
        "null",
        "oem",
        "serialnumber",
        "sernum",
        "systemserialnumber",
        "tobefilledbyo.e.m.",
        "unknown",
    }
)
# Subtypes of IEEE 802.1AB-2016 clauses 8.5.2.2 and 8.5.3.2 that hold a MAC address, which is no text.
_MAC_SUBTYPES = {_CHASSIS: 4, _PORT: 3}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a machine showed. Times are Unix seconds, `count` how often it asked.

    `relay` is the address of the relay that its messages came through, `circuit` and `remote` what that added
    (option 82, RFC 3046); `switch` and `port` what its iPXE heard by LLDP. `told` is whether it ran our script.
    """

    mac: str
    first: float
    last: float
    count: int = 1
    told: bool = False
    address: str | None = None
    firmware: str | None = None
    uuid: str | None = None
    serial: str | None = None
    asset: str | None = None
    manufacturer: str | None = None
    product: str | None = None
    architecture: str | None = None
    platform: str | None = None
    relay: str | None = None
    circuit: str | None = None
    remote: str | None = None
    switch: str | None = None
    port: str | None = None

    @property
    def place(self) -> str | None:
        """Where it is plugged in: switch and port by LLDP, else what the relay says; None where nobody does."""
        if self.port:
            return f"{self.switch} {self.port}" if self.switch else self.port
        if self.circuit:
            return f"{self.relay} {self.circuit}" if self.relay else self.circuit
        return None

    def identity(self, field: str) -> str | None:
        """Its uuid, serial or asset, None where that tells no machine from another."""
        value = getattr(self, field)
        return value if value and is_telling(value) else None

    def seen(self, now: float, known: Mapping[str, str | None], *, told: bool = False) -> Shown:
        """The machine after it showed itself again."""
        changes: dict[str, Any] = {key: value for key, value in known.items() if value}
        return replace(self, last=now, count=self.count + 1, told=self.told or told, **changes)


def is_telling(value: str) -> bool:
    """Whether a UUID, serial number or asset tag tells one machine from another."""
    plain = re.sub(r"[\s_]", "", value).lower()
    digits = plain.replace("-", "").strip("0")
    return plain not in _BLANKS and len(set(digits)) > 1 and _TELLING.fullmatch(value) is not None


def said(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What a machine's script says of it, as fields of `Shown`; whatever is odd, too long or unknown is left out.

    Nothing in it is trusted: anybody on the boot network can send it.
    """
    given = {key: value.strip() for key, value in pairs if _PRINTABLE.fullmatch(value.strip())}
    found = {field: given[key][:LONGEST] for key, field in _SAID.items() if key in given}
    if "uuid" in found and (uuid := _uuid(found.pop("uuid"))):
        found["uuid"] = uuid
    port, chassis = (_lldp(name, given.get(name, "")) for name in (_PORT, _CHASSIS))
    switch = given.get(_SWITCH, "")[:LONGEST] or chassis
    return {**found, **({"port": port} if port else {}), **({"switch": switch} if switch else {})}


def printable_option(value: bytes) -> str:
    """A part of option 82 for people: its text, or hexadecimal where it is none."""
    text = value.decode("ascii", "replace")
    return text[:LONGEST] if _PRINTABLE.fullmatch(text) else value.hex()[:LONGEST]


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _lldp(name: str, text: str) -> str | None:
    """The text in a TLV of LLDP, which begins with the octet of its subtype; MAC addresses with colons."""
    if not _HEX.fullmatch(text.lower()):
        return None
    octets = bytes.fromhex(text)
    if octets[0] == _MAC_SUBTYPES[name]:
        return octets[1:].hex(":")[:LONGEST]
    return printable_option(octets[1:])
