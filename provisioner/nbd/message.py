"""What is said over NBD, as values: the terms are those of doc/proto.md of the NBD project."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag


class Option(IntEnum):
    """What a client may ask for before it reads; others have numbers too."""

    EXPORT_NAME = 1
    ABORT = 2
    LIST = 3
    STARTTLS = 5
    INFO = 6
    GO = 7
    STRUCTURED_REPLY = 8


class Reply(IntEnum):
    """How an option is answered."""

    ACK = 1
    INFO = 3
    UNSUPPORTED = 1 << 31 | 1
    POLICY = 1 << 31 | 2
    INVALID = 1 << 31 | 3
    UNKNOWN = 1 << 31 | 6
    TOO_BIG = 1 << 31 | 9


class Command(IntEnum):
    """What a client asks for once it has an export; others have numbers too."""

    READ = 0
    WRITE = 1
    DISCONNECT = 2
    FLUSH = 3
    TRIM = 4
    CACHE = 5
    WRITE_ZEROES = 6


class Fault(IntEnum):
    """How a command is refused: numbers of the protocol, which are those of Linux."""

    NONE = 0
    NOT_PERMITTED = 1
    IO = 5
    INVALID = 22


class Flag(IntFlag):
    """What is told of an export."""

    HAS_FLAGS = 1
    READ_ONLY = 2


@dataclass(frozen=True, slots=True)
class OptionHeader:
    """The beginning of an option: which, and how many bytes of data follow."""

    option: int
    length: int


@dataclass(frozen=True, slots=True)
class Wish:
    """The data of INFO and GO: the export, and the kinds of information that the client wants of it."""

    name: str
    kinds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One command. `cookie` comes back with the answer; `offset` and `length` in bytes."""

    command: int
    flags: int
    cookie: int
    offset: int
    length: int
