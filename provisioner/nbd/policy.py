"""What a client gets for an option and for a command: pure rules, with no socket and no file."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.errors import ProtocolError
from provisioner.nbd import codec
from provisioner.nbd.message import Command, Fault, Option, Reply, Request

MOST_READ = 32 << 20
"""Bytes that one command may ask for: what the protocol wants every server to stand."""

MOST_OPTION_DATA = 8192
"""Bytes of an option's data: a name has 4096 at most."""

BLOCK = 4096
"""What dm-verity reads at once; the kernel is told not to ask for less."""

_FUA = 1
_WRITES = frozenset({Command.WRITE, Command.TRIM, Command.WRITE_ZEROES})


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do about an option: send `reply`; with `name`, open that export first; with `ends`, hang up."""

    reply: bytes = b""
    name: str | None = None
    ends: bool = False


def answer(option: int, data: bytes) -> Answer:
    """The answer to an option. Names of exports are tokens, so there is no list of them."""
    match option:
        case Option.EXPORT_NAME:
            return Answer(name=data.decode("utf-8", "replace"))
        case Option.INFO | Option.GO:
            return _wish(option, data)
        case Option.ABORT:
            return Answer(codec.option_reply(option, Reply.ACK), ends=True)
        case Option.LIST:
            text = b"the names of exports are tokens, and are not listed"
            return Answer(codec.option_reply(option, Reply.POLICY, text))
        case _:
            return Answer(codec.option_reply(option, Reply.UNSUPPORTED))


def _wish(option: int, data: bytes) -> Answer:
    try:
        return Answer(name=codec.wish(data).name)
    except ProtocolError as error:
        return Answer(codec.option_reply(option, Reply.INVALID, error.message.encode()))


def fault_of(request: Request, size: int) -> Fault:
    """Why a command on an export of this size in bytes is refused, or NONE for what can be read."""
    if request.command in _WRITES:
        return Fault.NOT_PERMITTED
    is_inside = request.offset + request.length <= size and 0 < request.length <= MOST_READ
    if request.command != Command.READ or request.flags & ~_FUA or not is_inside:
        return Fault.INVALID
    return Fault.NONE
