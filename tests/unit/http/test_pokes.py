"""Who waits for news, who is told, and who is told too often."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from provisioner.http.pokes import PUSH_SECONDS, Pokes, Push

LONG = 60.0


@dataclass
class Desk:
    """Pokes at a time and a revision that the test sets."""

    now: float = 0.0
    revision: str = "r1"
    pokes: Pokes = field(init=False)

    def __post_init__(self) -> None:
        self.pokes = Pokes(lambda: self.now)

    def waiting(self, node: str, seconds: float = LONG) -> asyncio.Task[None]:
        return asyncio.create_task(self.wait(node, seconds))

    async def wait(self, node: str, seconds: float = LONG, *, seen: str = "r1") -> None:
        await self.pokes.wait(node, seconds, seen=seen, revision=lambda: self.revision)


def test_a_push_lets_the_node_go_that_waits_and_no_other() -> None:
    async def scene() -> tuple[Push, bool, bool]:
        desk = Desk()
        one, two = desk.waiting("n1"), desk.waiting("n2")
        await asyncio.sleep(0)
        pushed = desk.pokes.push(["n1", "n3"])
        await one
        two_waits = not two.done()
        desk.pokes.close()
        await two
        return pushed, two_waits, desk.pokes.take("n1")

    pushed, two_waits, was_told = asyncio.run(scene())

    assert (pushed.told, pushed.next, pushed.limited) == (("n1",), ("n3",), ())
    assert two_waits
    assert was_told


def test_a_node_that_was_told_before_it_asked_does_not_wait_and_is_told_once() -> None:
    async def scene() -> tuple[bool, bool]:
        desk = Desk()
        desk.pokes.push(["n1"])
        await desk.wait("n1")
        return desk.pokes.take("n1"), desk.pokes.take("n1")

    assert asyncio.run(scene()) == (True, False)


def test_a_node_is_told_at_most_once_in_a_while() -> None:
    desk = Desk()
    desk.pokes.push(["n1"])
    desk.now = PUSH_SECONDS - 0.1
    assert desk.pokes.push(["n1", "n2"]).limited == ("n1",)
    desk.now = PUSH_SECONDS

    assert desk.pokes.push(["n1", "n2"]).limited == ("n2",)


def test_a_new_revision_lets_everybody_go() -> None:
    async def scene() -> None:
        desk = Desk()
        tasks = [desk.waiting(f"n{number}") for number in range(250)]
        await asyncio.sleep(0)
        desk.revision = "r2"
        await asyncio.wait_for(asyncio.gather(*tasks), LONG / 2)

    asyncio.run(scene())


def test_nobody_waits_longer_than_it_asked_for_or_after_the_end() -> None:
    async def scene() -> None:
        desk = Desk()
        await desk.wait("n1", 0.01)
        desk.pokes.close()
        await desk.wait("n1")

    asyncio.run(asyncio.wait_for(scene(), LONG / 2))


def test_a_node_that_looked_at_an_older_revision_does_not_wait() -> None:
    async def scene() -> None:
        desk = Desk(revision="r2")
        await desk.wait("n1", seen="r1")

    asyncio.run(asyncio.wait_for(scene(), LONG / 2))
