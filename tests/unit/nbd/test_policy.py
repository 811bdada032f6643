from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.nbd import codec, policy
from provisioner.nbd.message import Command, Fault, Option, Reply, Request
from provisioner.nbd.policy import Answer, answer, fault_of

SIZE = 1 << 30


def read(offset: int, length: int, *, flags: int = 0) -> Request:
    return Request(Command.READ, flags, 1, offset, length)


@pytest.mark.parametrize("option", [Option.INFO, Option.GO])
def test_info_and_go_ask_for_an_export_by_its_name(option: Option) -> None:
    data = struct.pack(">L5sHH", 5, b"token", 1, 3)

    assert answer(option, data) == Answer(name="token")


def test_the_old_way_asks_by_name_alone() -> None:
    assert answer(Option.EXPORT_NAME, b"token") == Answer(name="token")


def test_a_wish_that_cannot_be_read_is_invalid() -> None:
    told = answer(Option.GO, b"\0\0\0\xffshort")

    assert (told.name, told.ends) == (None, False)
    assert struct.unpack(">QLL", told.reply[:16])[1:] == (Option.GO, Reply.INVALID)


def test_a_client_that_gives_up_is_let_go() -> None:
    assert answer(Option.ABORT, b"") == Answer(codec.option_reply(Option.ABORT, Reply.ACK), ends=True)


@pytest.mark.parametrize(
    ("option", "reply"),
    [
        (Option.LIST, Reply.POLICY),
        (Option.STARTTLS, Reply.UNSUPPORTED),
        (Option.STRUCTURED_REPLY, Reply.UNSUPPORTED),
        (9999, Reply.UNSUPPORTED),
    ],
)
def test_names_are_not_listed_and_what_is_unknown_is_said_to_be(option: int, reply: Reply) -> None:
    told = answer(option, b"anything")

    assert struct.unpack(">QLL", told.reply[:16])[1:] == (option, reply)
    assert not told.ends


@pytest.mark.parametrize(
    "request_", [read(0, 1), read(SIZE - 1, 1), read(0, policy.MOST_READ), read(0, 1, flags=1)]
)
def test_what_lies_inside_of_the_export_can_be_read(request_: Request) -> None:
    assert fault_of(request_, SIZE) is Fault.NONE


@pytest.mark.parametrize(
    "request_",
    [
        read(SIZE, 1),
        read(SIZE - 1, 2),
        read((1 << 64) - 1, 1),
        read(0, 0),
        read(0, policy.MOST_READ + 1),
        read(0, 1, flags=4),
        Request(Command.FLUSH, 0, 1, 0, 0),
        Request(Command.CACHE, 0, 1, 0, 4096),
        Request(99, 0, 1, 0, 4096),
    ],
)
def test_everything_else_is_invalid(request_: Request) -> None:
    assert fault_of(request_, SIZE) is Fault.INVALID


@pytest.mark.parametrize("command", [Command.WRITE, Command.TRIM, Command.WRITE_ZEROES])
def test_nothing_is_ever_written(command: Command) -> None:
    assert fault_of(Request(command, 0, 1, 0, 4096), SIZE) is Fault.NOT_PERMITTED


@given(st.integers(0, 1 << 16), st.integers(0, 1 << 64), st.integers(0, 1 << 32), st.integers(0, 1 << 40))
def test_what_is_allowed_is_always_a_read_inside_of_the_export(
    command: int, offset: int, length: int, size: int
) -> None:
    if fault_of(Request(command, 0, 1, offset, length), size) is Fault.NONE:
        assert command == Command.READ
        assert 0 < length <= size - offset
