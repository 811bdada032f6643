"""TFTP packets as values: RFC 1350, options of RFC 2347.

Blocks of data are no values: they come by the hundred thousand, and `codec.blocks` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class ErrorCode(IntEnum):
    """Why we end a transfer (RFC 1350 section 5)."""

    NOT_DEFINED = 0
    NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    ILLEGAL = 4


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A client wants a file. `mode` and the names of options are in lower case."""

    name: str
    mode: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A client wants to store a file, which nobody may."""

    name: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Everything up to this block has arrived."""

    block: int


@dataclass(frozen=True, slots=True)
class OptionAcknowledge:
    """The options that the server grants."""

    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Failure:
    """The transfer is over. `code` is a number, as clients send codes that no RFC lists."""

    code: int
    message: str
