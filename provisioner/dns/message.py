"""DNS questions, records and replies as values (RFC 1035). Names are lower-case text without the final dot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from provisioner.model.address import Address

TTL = 60
"""How long others may keep a record, in seconds: an edit of a node is effective at once, and seen within this."""


class Kind(IntEnum):
    """The record types that the zones hold, and those that ask for more than one record (RFC 1035, 1995)."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    AAAA = 28
    SRV = 33
    IXFR = 251
    AXFR = 252
    ANY = 255


TRANSFERS = frozenset({Kind.IXFR, Kind.AXFR})


class Code(IntEnum):
    """The outcome of a query (RFC 1035 section 4.1.1, RFC 6891 section 9)."""

    NO_ERROR = 0
    FORMAT_ERROR = 1
    SERVER_FAILURE = 2
    NAME_ERROR = 3
    NOT_IMPLEMENTED = 4
    REFUSED = 5
    BAD_VERSION = 16

    @property
    def word(self) -> str:
        """The name that people and their tools know it by: `nxdomain`."""
        return _WORDS[self]


_WORDS = {
    Code.NO_ERROR: "noerror",
    Code.FORMAT_ERROR: "formerr",
    Code.SERVER_FAILURE: "servfail",
    Code.NAME_ERROR: "nxdomain",
    Code.NOT_IMPLEMENTED: "notimp",
    Code.REFUSED: "refused",
    Code.BAD_VERSION: "badvers",
}


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

    def __str__(self) -> str:
        """As a zone file begins it."""
        return f"{self.server} {self.mailbox} {self.serial}"


@dataclass(frozen=True, slots=True)
class Target:
    """The value of an SRV record (RFC 2782): the smallest priority is asked first."""

    priority: int
    port: int
    host: str

    def __str__(self) -> str:
        """As a zone file has it; the weight is always 0."""
        return f"{self.priority} 0 {self.port} {self.host}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Its value: an address (A, AAAA), a name (NS, PTR, CNAME), an Authority (SOA), a Target (SRV)."""

    name: str
    kind: Kind
    value: Address | str | Authority | Target


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
