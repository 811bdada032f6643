from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from provisioner.tftp.options import Terms
from provisioner.tftp.session import End, Session
from provisioner.tftp.transfer import MAX_SILENCES, MAX_UNHEARD, Transfer
from provisioner.tftp.wheel import Wheel
from tests.support.tftpmodel import Reader, Wires, acknowledge

ABORT = b"\x00\x05\x00\x00enough\x00"


class Case:
    """A session on wires that a test holds in its hands, with a clock that it turns."""

    def __init__(self, content: bytes, terms: Terms) -> None:
        self.calls: list[Callable[[], None]] = []
        self.wheel = Wheel(lambda _seconds, call: self.calls.append(call))
        self.wire = Wires()
        self.ends: list[tuple[End, str]] = []
        self.transfer = Transfer(len(content), terms)
        self.session = Session(content, self.transfer, self.wire, self.wheel, request=b"", done=self._done)

    def _done(self, session: Session, end: End, reason: str) -> None:
        assert session is self.session
        self.ends.append((end, reason))

    def taken(self) -> list[bytes]:
        """What was sent since the last look."""
        sent, self.wire.sent = self.wire.sent, []
        return sent

    def tick(self, times: int = 1) -> None:
        """A tenth of a second passes."""
        for _ in range(times):
            due, self.calls = self.calls, []
            for call in due:
                call()


def case(size: int = 2000, *, block: int = 512, window: int = 1, granted: bool = False) -> Case:
    made = Case(bytes(size), Terms(block, window, granted={"tsize": str(size)} if granted else {}))
    made.session.start()
    return made


def test_a_client_that_is_never_heard_draws_four_packets_and_no_more() -> None:
    under_test = case(granted=True)

    under_test.tick(1000)

    assert [packet[:2] for packet in under_test.wire.sent] == [b"\0\6"] * MAX_UNHEARD
    assert under_test.ends == [(End.UNHEARD, "the client never answered the first packet")]
    assert under_test.wheel.sleeping == 0


def test_repeated_requests_count_as_silence() -> None:
    under_test = case(granted=True)

    for _ in range(MAX_UNHEARD):
        under_test.session.repeat()

    assert len(under_test.wire.sent) == MAX_UNHEARD
    assert under_test.ends[0][0] is End.UNHEARD


def test_the_pause_doubles_and_never_comes_early() -> None:
    under_test = case(granted=True)
    at = []
    for tick in range(400):
        if under_test.taken():
            at.append(tick)
        under_test.tick()

    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert len(gaps) == MAX_UNHEARD - 1
    for gap, pause in zip(gaps, (10, 20, 40), strict=True):
        assert pause <= gap <= pause * 1.25 + 3


def test_a_client_that_falls_silent_half_way_is_a_failure() -> None:
    under_test = case()
    under_test.session.receive(acknowledge(1))
    under_test.taken()

    under_test.tick(1000)

    assert len(under_test.taken()) == MAX_SILENCES - 1
    assert under_test.ends == [(End.FAILED, "the client fell silent")]


def test_an_acknowledgement_that_is_repeated_sends_nothing_at_once_and_the_block_once_later() -> None:
    under_test = case()
    under_test.session.receive(acknowledge(1))
    under_test.taken()

    under_test.session.receive(acknowledge(1))
    assert under_test.taken() == []
    under_test.tick(4)
    under_test.session.receive(acknowledge(1))
    under_test.session.receive(acknowledge(1))
    assert [packet[:4] for packet in under_test.taken()] == [b"\0\3\0\2"]


@pytest.mark.parametrize(("acknowledged", "end"), [(0, End.DECLINED), (1, End.FAILED)])
def test_breaking_off_before_any_data_is_no_failure(acknowledged: int, end: End) -> None:
    under_test = case(granted=True)
    for block in range(acknowledged + 1):
        under_test.session.receive(acknowledge(block))

    under_test.session.receive(ABORT)

    assert under_test.ends == [(end, "the client broke off: enough (error 0)")]


def test_a_client_whose_port_is_closed_is_gone() -> None:
    under_test = case()
    under_test.session.receive(acknowledge(1))

    under_test.session.gone("Connection refused")
    under_test.session.gone("Connection refused")

    assert under_test.ends == [(End.FAILED, "the client is gone: Connection refused")]


@given(
    st.lists(
        st.binary(max_size=20)
        | st.integers(0, 65535).map(acknowledge)
        | st.binary(max_size=12).map(lambda rest: b"\x00\x05" + rest),
        max_size=30,
    ),
    st.integers(1, 8),
)
def test_arbitrary_datagrams_end_a_session_at_most_and_draw_one_window_each(
    data: list[bytes], window: int
) -> None:
    under_test = case(window=window, granted=True)
    under_test.taken()

    for datagram in data:
        if under_test.session.open:
            under_test.session.receive(datagram)

    assert len(under_test.taken()) <= len(data) * window
    assert len(under_test.ends) <= 1


class Channel(RuleBasedStateMachine):
    """A session and a client that does what the RFCs say, over wires that lose, double and reorder packets."""

    def __init__(self) -> None:
        super().__init__()
        self.down: list[bytes] = []
        self.up: list[bytes] = []
        self.past: list[bytes] = []
        self.patience = 0

    @initialize(
        size=st.integers(0, 400),
        block=st.integers(8, 16),
        window=st.integers(1, 6),
        granted=st.booleans(),
        patience=st.integers(0, 9),
    )
    def request(self, size: int, block: int, window: int, granted: bool, patience: int) -> None:
        self.patience = patience
        self.content = bytes(number * 7 % 251 for number in range(size))
        self.window = window
        self.broke_off = False
        # Without an OACK there is nothing but lock-step.
        terms = Terms(block, window if granted else 1, granted={"windowsize": str(window)} if granted else {})
        self.case = Case(self.content, terms)
        self.reader = Reader(block, terms.window)
        self.unheard = 0
        self.case.session.start()
        self.look()

    def look(self) -> None:
        """Take what the session sent onto the wires."""
        sent = self.case.taken()
        if not self.case.transfer.heard:
            self.unheard += len(sent)
        self.down += sent

    @precondition(lambda self: self.down)
    @rule(data=st.data(), keep=st.booleans())
    def deliver(self, data: st.DataObject, keep: bool) -> None:
        """Any packet that is on its way arrives, maybe not for the last time."""
        at = data.draw(st.integers(0, len(self.down) - 1))
        packet = self.down[at] if keep else self.down.pop(at)
        answer = self.reader.receive(packet)
        if answer is not None:
            self.up.append(answer)

    @precondition(lambda self: self.up)
    @rule(data=st.data(), keep=st.booleans())
    def hear(self, data: st.DataObject, keep: bool) -> None:
        """Any acknowledgement that is on its way arrives, maybe not for the last time."""
        at = data.draw(st.integers(0, len(self.up) - 1))
        self.heard(self.up[at] if keep else self.up.pop(at))

    @rule(packets=st.integers(1, 10))
    def all_is_well(self, packets: int) -> None:
        """So many packets come and are answered in their order, so that a transfer gets somewhere."""
        for _ in range(packets):
            if self.down and (answer := self.reader.receive(self.down.pop(0))) is not None:
                self.up.append(answer)
            if self.up:
                self.heard(self.up.pop(0))

    def heard(self, packet: bytes) -> None:
        """An acknowledgement arrives."""
        self.past.append(packet)
        if self.case.session.open:
            self.case.session.receive(packet)
        self.look()

    @precondition(lambda self: self.past)
    @rule(back=st.integers(1, 8))
    def an_old_acknowledgement_returns(self, back: int) -> None:
        if self.case.session.open:
            self.case.session.receive(self.past[-min(back, len(self.past))])
        self.look()

    @precondition(lambda self: self.down)
    @rule(data=st.data())
    def lose_data(self, data: st.DataObject) -> None:
        self.down.pop(data.draw(st.integers(0, len(self.down) - 1)))

    @precondition(lambda self: self.up)
    @rule(data=st.data())
    def lose_acknowledgement(self, data: st.DataObject) -> None:
        self.up.pop(data.draw(st.integers(0, len(self.up) - 1)))

    @rule(ticks=st.integers(1, 12))
    def time_passes(self, ticks: int) -> None:
        self.case.tick(ticks)
        self.look()

    @rule()
    def client_is_impatient(self) -> None:
        answer = self.reader.impatient()
        if answer is not None:
            self.up.append(answer)

    @rule(packet=st.binary(max_size=20) | st.integers(0, 65535).map(acknowledge))
    def somebody_forges(self, packet: bytes) -> None:
        """A packet with the client's address that the client did not send: it never harms what the client has."""
        lies = packet[:2] in (b"\0\4", b"\0\5")
        if self.case.session.open and not lies:
            self.case.session.receive(packet)
        self.look()

    @precondition(lambda self: self.patience == 0)
    @rule()
    def client_breaks_off(self) -> None:
        self.broke_off = True
        if self.case.session.open:
            self.case.session.receive(ABORT)

    @invariant()
    def holds(self) -> None:
        """What is true at any time."""
        if not hasattr(self, "case"):
            return
        assert self.content.startswith(self.reader.content)
        assert self.reader.complete <= (self.reader.content == self.content)
        assert self.case.wire.longest <= self.window
        assert self.unheard <= MAX_UNHEARD
        assert len(self.case.ends) == (0 if self.case.session.open else 1)
        assert self.case.wheel.sleeping == (1 if self.case.session.open else 0)
        if self.case.ends and self.case.ends[0][0] is End.DONE:
            assert self.reader.complete

    def teardown(self) -> None:
        """Once the wires are good again the client gets everything, unless one side had given up."""
        if not hasattr(self, "case"):
            return
        self.up.clear()
        trusted = self.case.session.open and self.case.transfer.pause == self.case.transfer.terms.timeout
        for _ in range(2000):
            if not self.case.session.open:
                break
            if not self.down:
                self.case.tick()
                self.look()
                continue
            answer = self.reader.receive(self.down.pop(0))
            if answer is not None and self.case.session.open:
                self.case.session.receive(answer)
                self.look()
        end = self.case.ends[0][0]
        assert (end is End.DONE) or not trusted
        assert (self.reader.content == self.content) or end is not End.DONE
        assert self.broke_off or end is not End.DECLINED


Channel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestChannel = Channel.TestCase
