from __future__ import annotations

from provisioner.tftp.options import Terms
from provisioner.tftp.session import Done, End, Session
from provisioner.tftp.sessions import Sessions
from provisioner.tftp.transfer import Transfer
from provisioner.tftp.wheel import Wheel
from provisioner.tftp.wire import Source
from tests.support.tftpmodel import Wires, acknowledge


class Book:
    """Sessions that are entered and crossed out as the server does it."""

    def __init__(self, most: int, most_each: int) -> None:
        self.sessions = Sessions(most, most_each)
        self.ends: dict[Source, End] = {}
        self._wheel = Wheel(lambda _seconds, _call: None)

    def ask(self, host: str, port: int, *, heard: bool = False) -> bool:
        """A request comes from there; whether it got a place."""
        if not self.sessions.make_room(host):
            return False
        source = (host, port)
        transfer = Transfer(2000, Terms())
        session = Session(bytes(2000), transfer, Wires(), self._wheel, request=b"", done=self._done(source))
        self.sessions.add(source, session)
        session.start()
        if heard:
            self.hear(host, port)
        return True

    def hear(self, host: str, port: int) -> None:
        session = self.sessions.get((host, port))
        assert session is not None
        session.receive(acknowledge(1))

    def _done(self, source: Source) -> Done:
        def done(session: Session, end: End, reason: str) -> None:
            assert session.seconds >= 0
            assert reason == ""
            self.sessions.remove(source)
            self.ends[source] = end

        return done


def test_the_oldest_half_open_transfer_gives_way_when_all_places_are_taken() -> None:
    book = Book(3, 3)
    book.ask("a", 1, heard=True)
    book.ask("b", 1)
    book.ask("c", 1)

    assert book.ask("d", 1)

    assert book.ends == {("b", 1): End.EVICTED}
    assert len(book.sessions) == 3


def test_transfers_that_are_under_way_never_give_way() -> None:
    book = Book(2, 2)
    book.ask("a", 1)
    book.ask("b", 1)
    book.hear("a", 1)
    book.hear("b", 1)

    assert not book.ask("c", 1)
    assert book.ends == {}


def test_one_host_takes_its_own_places_only() -> None:
    book = Book(10, 2)
    book.ask("a", 1)
    book.ask("b", 1)
    book.ask("b", 2, heard=True)

    assert book.ask("b", 3)
    assert book.ends == {("b", 1): End.EVICTED}
    book.hear("b", 3)
    assert not book.ask("b", 4)


def test_ten_thousand_that_never_answer_keep_nobody_out() -> None:
    book = Book(100, 16)
    for number in range(10_000):
        assert book.ask(f"host{number}", 1)

    assert book.ask("honest", 1, heard=True)
    for number in range(200):
        book.ask(f"later{number}", 1)
    assert ("honest", 1) not in book.ends
    assert len(book.sessions) == 100


def test_nothing_is_left_of_who_has_ended() -> None:
    book = Book(10, 2)
    book.ask("a", 1)
    book.ask("a", 2, heard=True)
    for session in book.sessions:
        session.close(End.FAILED)

    assert len(book.sessions) == 0
    assert book.sessions.get(("a", 1)) is None
    assert book.ask("a", 1)
    assert book.ask("a", 2)
