from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.tftp.options import Terms
from provisioner.tftp.packet import Data, OptionAcknowledge
from provisioner.tftp.transfer import MAX_SILENCES, Transfer

CONTENT = bytes(range(256)) * 10
Packets = Sequence[Data | OptionAcknowledge]


def numbers(packets: Packets) -> list[int]:
    return [packet.block if isinstance(packet, Data) else 0 for packet in packets]


def test_without_options_the_first_block_comes_at_once() -> None:
    transfer = Transfer(CONTENT, Terms())

    assert transfer.start() == [Data(1, CONTENT[:512])]
    assert transfer.started


def test_granted_options_come_first_and_are_acknowledged_as_block_zero() -> None:
    transfer = Transfer(CONTENT, Terms(granted={"tsize": "2560"}))

    assert transfer.start() == (OptionAcknowledge({"tsize": "2560"}),)
    assert not transfer.started
    assert numbers(transfer.acknowledge(0)) == [1]


@pytest.mark.parametrize(("size", "blocks"), [(0, [0]), (1, [1]), (512, [512, 0]), (1023, [512, 511])])
def test_the_last_block_is_a_short_one(size: int, blocks: list[int]) -> None:
    transfer = Transfer(bytes(size), Terms())
    sent = list(transfer.start())
    while not transfer.finished:
        sent += transfer.acknowledge(len(sent))

    assert [len(packet.content) for packet in sent if isinstance(packet, Data)] == blocks
    assert transfer.progress == size


def test_a_duplicate_acknowledgement_in_lock_step_sends_nothing() -> None:
    transfer = Transfer(CONTENT, Terms())
    transfer.start()
    transfer.acknowledge(1)

    assert transfer.acknowledge(1) == ()
    assert transfer.acknowledge(0) == ()


def test_an_acknowledgement_of_what_was_never_sent_sends_nothing() -> None:
    transfer = Transfer(CONTENT, Terms())
    transfer.start()

    assert transfer.acknowledge(2) == ()
    assert transfer.acknowledge(65535) == ()
    assert not transfer.progress


def test_a_window_is_sent_whole_and_continues_where_the_client_has_a_gap() -> None:
    transfer = Transfer(CONTENT, Terms(window=3))

    assert numbers(transfer.start()) == [1, 2, 3]
    assert numbers(transfer.acknowledge(1)) == [2, 3, 4]
    assert numbers(transfer.acknowledge(4)) == [5, 6]


def test_a_client_that_misses_the_first_block_of_a_window_gets_it_again_once() -> None:
    transfer = Transfer(CONTENT, Terms(window=2))
    transfer.start()
    transfer.acknowledge(2)

    assert numbers(transfer.acknowledge(2)) == [3, 4]
    assert transfer.acknowledge(2) == ()
    assert numbers(transfer.silence()) == [3, 4]


def test_silence_repeats_the_window_ever_more_slowly_until_the_client_is_lost() -> None:
    transfer = Transfer(CONTENT, Terms(window=2))
    transfer.start()
    pauses, repeats = [], []
    while not transfer.lost:
        pauses.append(transfer.pause)
        repeats.append(numbers(transfer.silence()))

    assert pauses == [1, 2, 4, 8, 8, 8]
    assert repeats == [[1, 2]] * (MAX_SILENCES - 1) + [[]]


def test_progress_ends_the_back_off() -> None:
    transfer = Transfer(CONTENT, Terms())
    transfer.start()
    transfer.silence()
    transfer.acknowledge(1)

    assert transfer.pause == 1


def test_the_clients_own_timeout_is_never_shortened() -> None:
    transfer = Transfer(CONTENT, Terms(timeout=20.0))

    transfer.silence()
    assert transfer.pause == 20.0


def test_block_numbers_wrap_after_65535() -> None:
    content = bytes(8 * 65540)
    transfer = Transfer(content, Terms(block=8, window=32))
    received = numbers(transfer.start())
    while not transfer.finished:
        received += numbers(transfer.acknowledge(received[-1]))

    assert received[65534:65537] == [65535, 0, 1]
    assert transfer.progress == len(content)


@given(
    content=st.binary(max_size=300),
    block=st.integers(8, 40),
    window=st.integers(1, 6),
    fate=st.lists(st.sampled_from(["deliver", "lose", "double"]), max_size=200),
)
def test_over_a_wire_that_loses_and_doubles_packets_the_client_gets_exactly_the_content(
    content: bytes, block: int, window: int, fate: list[str]
) -> None:
    transfer = Transfer(content, Terms(block=block, window=window, granted={"tsize": "1"}))
    client = Client(block, window)
    fates = deque(fate)
    wire = deque(transfer.start())
    for _ in range(5000):
        if transfer.finished or transfer.lost:
            break
        if not wire:
            wire.extend(transfer.silence())
            continue
        packet = wire.popleft()
        what = fates.popleft() if fates else "deliver"
        for _ in range({"deliver": 1, "lose": 0, "double": 2}[what]):
            answer = client.receive(packet)
            if answer is not None and not (fates and fates.popleft() == "lose"):
                wire.extend(transfer.acknowledge(answer))

    assert transfer.finished or transfer.lost
    if transfer.finished:
        assert client.content == content


class Client:
    """A reader as RFC 7440 section 4 describes it: acknowledges a full window, the end, or a gap."""

    def __init__(self, block: int, window: int) -> None:
        self.content = b""
        self._block = block
        self._window = window
        self._next = 1
        self._in_window = 0

    def receive(self, packet: Data | OptionAcknowledge) -> int | None:
        if isinstance(packet, OptionAcknowledge):
            return 0 if self._next == 1 else None
        if packet.block != self._next:
            self._in_window = 0
            return self._next - 1
        self.content += packet.content
        self._next += 1
        self._in_window += 1
        if self._in_window == self._window or len(packet.content) < self._block:
            self._in_window = 0
            return packet.block
        return None
