"""DNS questions, records and replies as values (RFC 1035). Names are lower-case text without the final dot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from provisioner.model.address import Address

TTL = 60
"""How long others may keep a record, in seconds: an edit of a node is effective at once, and seen within this."""


class Kind(IntEnum):
    """The record types that the zones hold, and ANY, which asks for all of them."""

    A = 1
    NS = 2
    SOA = 6
    PTR = 12
    AAAA = 28
    ANY = 255


class Code(IntEnum):
    """The outcome of a query (RFC 1035 section 4.1.1)."""

    NO_ERROR = 0
    FORMAT_ERROR = 1
    NAME_ERROR = 3
    NOT_IMPLEMENTED = 4
    REFUSED = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `kind` is a number, as there are many types that no zone here holds."""

    name: str
    kind: int


@dataclass(frozen=True, slots=True)
class Authority:
    """The value of an SOA record: the server, the mailbox of its keeper, the serial number."""

    server: str
    mailbox: str
    serial: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record; the value is an address (A, AAAA), a name (NS, PTR) or an Authority (SOA)."""

    name: str
    kind: Kind
    value: Address | str | Authority


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one question. Nothing is said with authority outside the zones of the site."""

    code: Code
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()

    @property
    def authoritative(self) -> bool:
        """Whether the name is one of the site's zones, existing or not."""
        return self.code in {Code.NO_ERROR, Code.NAME_ERROR}
