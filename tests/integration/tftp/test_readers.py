"""Many sockets on one event loop."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial

import pytest

from provisioner.tftp.readers import PARTY, Readers

pytestmark = pytest.mark.integration

SOCKETS = 300


class Bed:
    """Sockets that can be read for ever, and how often each was, turn by turn of the loop."""

    def __init__(self, stack: ExitStack) -> None:
        self.readers = Readers(asyncio.get_running_loop())
        stack.callback(self.readers.close)
        self.pairs = [socket.socketpair() for _ in range(SOCKETS)]
        self.calls: Counter[int] = Counter()
        self.turns = [0]
        for number, (near, far) in enumerate(self.pairs):
            stack.enter_context(near)
            stack.enter_context(far)
            self.readers.add(near, partial(self.called, number))
            far.send(b"x")

    def called(self, number: int) -> None:
        self.calls[number] += 1
        self.turns[-1] += 1

    async def turn(self, times: int) -> None:
        for _ in range(times):
            self.turns.append(0)
            await asyncio.sleep(0)


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    with ExitStack() as stack:
        yield Bed(stack)


async def test_a_turn_of_the_loop_reads_few_sockets_and_everybody_gets_a_turn(bed: Bed) -> None:
    await bed.turn(50)

    assert max(bed.turns) <= 2 * PARTY
    assert set(bed.calls) == set(range(SOCKETS))
    crowd = [bed.calls[number] for number in range(PARTY, SOCKETS)]
    assert max(crowd) - min(crowd) <= 2


async def test_who_is_removed_is_not_called_even_in_the_turn_that_removes_it(bed: Bed) -> None:
    await bed.turn(2)
    for near, _ in bed.pairs[::2]:
        bed.readers.remove(near)
    before = bed.calls.copy()
    await bed.turn(50)

    assert {number for number in bed.calls if bed.calls[number] > before[number]} == set(range(1, SOCKETS, 2))


async def test_places_that_become_free_are_taken_again(bed: Bed) -> None:
    for near, _ in bed.pairs:
        bed.readers.remove(near)
    bed.calls.clear()
    for number, (near, _) in enumerate(bed.pairs):
        bed.readers.add(near, partial(bed.called, number))
    await bed.turn(50)

    assert set(bed.calls) == set(range(SOCKETS))
