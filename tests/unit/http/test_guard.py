"""Connections that do nothing: when the guard cuts one off, by its clocks alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from provisioner.http.guard import Allowance, Guard
from provisioner.model.tally import Tally

QUICK = Allowance(asking=0.05, reading=0.05, of_an_address=3, in_all=5)


class Wire(asyncio.Transport):
    """A transport that notes whether it was ended."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1000), "socket": self})
        self.ended = asyncio.Event()

    def setsockopt(self, *_: Any) -> None:
        """It is its own socket."""

    def abort(self) -> None:
        self.ended.set()


class Inner(asyncio.Protocol):
    """What stands behind the guard."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.seen.append(data)


class Door:
    """A guard with connections."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.guard = Guard(self.tally, QUICK)
        self.inner = Inner()

    def connect(self, address: str = "10.0.0.1") -> tuple[Wire, Any]:
        guarded = self.guard.over(lambda: self.inner)()
        wire = Wire(address)
        guarded.connection_made(wire)
        return wire, guarded

    def refused(self, why: str) -> int:
        return self.tally.count("http_refused", why)


@pytest.fixture
async def door() -> Door:
    return Door()


class Clock:
    """The clock of the event loop, which moves when it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: self._now)

    async def moves(self, seconds: float) -> None:
        self._now += seconds
        # A turn to see what is due, and one to do it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_client_that_says_nothing_is_cut_off(door: Door) -> None:
    wire, _ = door.connect()

    await wire.ended.wait()

    assert door.refused("slow request") == 1


async def test_one_that_sends_its_request_byte_by_byte_is_cut_off(door: Door) -> None:
    wire, guarded = door.connect()
    while not wire.ended.is_set():
        guarded.data_received(b"G")
        await asyncio.sleep(0.001)

    assert door.refused("slow request") == 1
    assert set(door.inner.seen) == {b"G"}


async def test_one_whose_request_is_worked_on_has_all_the_time(door: Door) -> None:
    wire, guarded = door.connect()
    guarded.asked(body=False)

    await asyncio.sleep(2 * QUICK.asking)

    assert not wire.ended.is_set()


async def test_one_that_does_not_send_the_body_it_promised_is_cut_off(door: Door) -> None:
    wire, guarded = door.connect()
    guarded.asked(body=True)

    await wire.ended.wait()


async def test_one_that_was_answered_may_stay_as_long_as_it_is_silent(door: Door) -> None:
    wire, guarded = door.connect()
    guarded.asked(body=True)
    guarded.answered()

    await asyncio.sleep(2 * QUICK.asking)
    assert not wire.ended.is_set()

    guarded.data_received(b"GET")
    await wire.ended.wait()


async def test_one_that_does_not_take_its_answer_is_cut_off(door: Door) -> None:
    wire, guarded = door.connect()
    guarded.asked(body=False)
    guarded.pause_writing()

    await wire.ended.wait()

    assert door.refused("slow reader") == 1


async def test_one_that_takes_its_answer_in_pieces_is_not(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    wire, guarded = door.connect()
    guarded.asked(body=False)
    for _ in range(3):
        guarded.pause_writing()
        await clock.moves(QUICK.reading * 0.8)
        guarded.resume_writing()

    await clock.moves(2 * QUICK.reading)

    assert not wire.ended.is_set()


async def test_an_address_has_so_many_connections_and_gets_another_when_one_is_closed(door: Door) -> None:
    (_, first), _, _ = (door.connect() for _ in range(3))
    refused, _ = door.connect()
    assert refused.ended.is_set()

    first.connection_lost(None)
    assert not door.connect()[0].ended.is_set()
    assert door.refused("too many connections of one address") == 1


async def test_those_that_showed_a_token_are_no_crowd(door: Door) -> None:
    connections = [door.connect()]
    for _ in range(4):
        connections[-1][1].trust()
        connections[-1][1].trust()
        connections.append(door.connect())
    assert not any(wire.ended.is_set() for wire, _ in connections)
    connections[0][1].connection_lost(None)

    assert not door.connect()[0].ended.is_set()


async def test_where_connections_run_out_the_one_that_was_silent_longest_makes_room(door: Door) -> None:
    wires = [door.connect(f"10.0.0.{number}") for number in range(5)]
    wires[0][1].asked(body=False)

    late, _ = door.connect("10.0.0.9")

    assert [wire.ended.is_set() for wire, _ in wires] == [False, True, False, False, False]
    assert not late.ended.is_set()


async def test_where_everybody_is_served_nobody_makes_room(door: Door) -> None:
    for number in range(5):
        door.connect(f"10.0.0.{number}")[1].asked(body=False)

    late, _ = door.connect("10.0.0.9")

    assert late.ended.is_set()
    assert door.refused("too many connections") == 1


async def test_a_closed_connection_rings_no_clock(door: Door) -> None:
    wire, guarded = door.connect()
    guarded.pause_writing()
    guarded.connection_lost(None)

    await asyncio.sleep(2 * QUICK.asking)

    assert not wire.ended.is_set()
