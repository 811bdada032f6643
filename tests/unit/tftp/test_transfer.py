from __future__ import annotations

from collections import deque

import pytest

from provisioner.tftp.options import Terms
from provisioner.tftp.transfer import MAX_SILENCES, MAX_UNHEARD, Transfer

SIZE = 2560


def transfer(**terms: object) -> Transfer:
    return Transfer(SIZE, Terms(**terms))  # type: ignore[arg-type] # each test names the fields it means


def test_without_options_the_first_block_comes_at_once() -> None:
    assert list(transfer().start()) == [1]


def test_granted_options_come_first_and_are_acknowledged_as_block_zero() -> None:
    under_test = transfer(granted={"tsize": "2560"})

    assert list(under_test.start()) == [0]
    assert not under_test.heard
    assert list(under_test.acknowledge(0)) == [1]
    assert under_test.heard


@pytest.mark.parametrize(("size", "blocks"), [(0, 1), (1, 1), (512, 2), (1023, 2), (1024, 3)])
def test_a_content_that_fills_its_last_block_has_an_empty_one_after_it(size: int, blocks: int) -> None:
    under_test = Transfer(size, Terms())
    sent = list(under_test.start())
    while not under_test.finished:
        sent += under_test.acknowledge(len(sent))

    assert sent == list(range(1, blocks + 1))
    assert under_test.progress == size


def test_a_duplicate_acknowledgement_in_lock_step_sends_nothing() -> None:
    under_test = transfer()
    under_test.start()
    under_test.acknowledge(1)

    assert not under_test.acknowledge(1)
    assert not under_test.acknowledge(0)


def test_a_block_that_was_lost_a_while_ago_is_sent_once_more() -> None:
    under_test = transfer()
    under_test.start()
    under_test.acknowledge(1)

    assert list(under_test.nudge(1)) == [2]
    assert not under_test.nudge(1)
    assert not under_test.nudge(0)


def test_a_client_that_was_never_heard_cannot_ask_for_more() -> None:
    under_test = transfer(window=4)
    under_test.start()

    assert not under_test.acknowledge(0)
    assert not under_test.nudge(0)


def test_an_acknowledgement_of_what_was_never_sent_sends_nothing() -> None:
    under_test = transfer()
    under_test.start()

    assert not under_test.acknowledge(2)
    assert not under_test.acknowledge(65535)
    assert not under_test.progress


def test_a_window_is_sent_whole_and_continues_where_the_client_has_a_gap() -> None:
    under_test = transfer(window=3)

    assert list(under_test.start()) == [1, 2, 3]
    assert list(under_test.acknowledge(1)) == [2, 3, 4]
    assert list(under_test.acknowledge(4)) == [5, 6]


def test_a_client_that_misses_the_first_block_of_a_window_gets_it_again_once() -> None:
    under_test = transfer(window=2)
    under_test.start()
    under_test.acknowledge(2)

    assert list(under_test.acknowledge(2)) == [3, 4]
    assert not under_test.acknowledge(2)
    assert list(under_test.silence()) == [3, 4]


def test_silence_repeats_the_window_ever_more_slowly_until_the_client_is_lost() -> None:
    under_test = transfer(window=2)
    under_test.start()
    under_test.acknowledge(1)
    pauses, repeats = [], []
    while not under_test.lost:
        pauses.append(under_test.pause)
        repeats.append(list(under_test.silence()))

    assert pauses == [1, 2, 4, 8, 8, 8]
    assert repeats == [[2, 3]] * (MAX_SILENCES - 1) + [[]]


def test_a_client_that_was_never_heard_is_given_up_sooner() -> None:
    under_test = transfer(granted={"tsize": "2560"})
    sent = [list(under_test.start())]
    while not under_test.lost:
        sent.append(list(under_test.silence()))

    assert sent == [[0]] * MAX_UNHEARD + [[]]


def test_progress_ends_the_back_off() -> None:
    under_test = transfer()
    under_test.start()
    under_test.silence()
    under_test.acknowledge(1)

    assert under_test.pause == 1


def test_the_clients_own_timeout_is_never_shortened() -> None:
    under_test = transfer(timeout=20.0)

    under_test.silence()
    assert under_test.pause == 20.0


def test_block_numbers_wrap_on_the_wire_and_not_here() -> None:
    size = 8 * 65540
    under_test = Transfer(size, Terms(block=8, window=32))
    received = list(under_test.start())
    while not under_test.finished:
        received += under_test.acknowledge(received[-1] % 65536)

    assert received == list(range(1, 65542))
    assert under_test.progress == size


class Reader:
    """Reads over a wire that keeps the order and loses one packet.

    It acknowledges a full window, the end, and with what it has each block that it did not expect, as EDK II does.
    """

    def __init__(self, under_test: Transfer, blocks: int, lost: int) -> None:
        self.sent = 0
        self._under_test = under_test
        self._last = blocks
        self._lost = lost
        self._wire: deque[int] = deque()
        self._has = 0
        self._in_window = 0

    def fetch(self) -> None:
        self._send(self._under_test.start())
        while not self._under_test.finished:
            if self._wire:
                self._hear(self._wire.popleft())
            else:
                self._send(self._under_test.silence())

    def _send(self, numbers: range) -> None:
        for number in numbers:
            self.sent += 1
            if self.sent != self._lost:
                self._wire.append(number)

    def _hear(self, number: int) -> None:
        is_next = number == self._has + 1
        if is_next:
            self._has, self._in_window = number, self._in_window + 1
        if not is_next or self._in_window == self._under_test.terms.window or self._has == self._last:
            self._in_window = 0
            self._send(self._under_test.acknowledge(self._has))


@pytest.mark.parametrize("window", [1, 4, 16, 32])
def test_a_lost_packet_costs_no_more_than_a_window_once(window: int) -> None:
    for lost in range(1, 2 * window + 2):
        reader = Reader(Transfer(500 * 512 - 1, Terms(window=window)), 500, lost)
        reader.fetch()

        assert reader.sent <= 500 + window


def test_what_went_out_twice_does_not_go_out_twice_from_there_on() -> None:
    under_test = Transfer(12 * 512 - 1, Terms(window=3))
    under_test.start()
    under_test.silence()

    assert list(under_test.acknowledge(3)) == [4, 5, 6]
    assert not under_test.acknowledge(3)
    assert list(under_test.acknowledge(6)) == [7, 8, 9]


def test_a_client_that_needed_only_the_end_of_a_repeated_window_gets_what_follows_it() -> None:
    under_test = Transfer(12 * 512 - 1, Terms(window=3))
    under_test.start()
    under_test.silence()

    assert list(under_test.acknowledge(2)) == [4, 5]
    assert not under_test.acknowledge(2)
    assert list(under_test.acknowledge(5)) == [6, 7, 8]
