"""What a bad network does to datagrams, and a link that carries only so much; both on the clients' side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from provisioner.lab.storm.plan import Weather

# A packet that is overtaken comes this much later: several others pass it, and no timer of a client runs out.
_OVERTAKEN = 0.02


def fates(weather: Weather, random: Random) -> list[float]:
    """How many seconds late each copy of a datagram arrives; an empty list for one that is lost."""
    if random.random() < weather.loss:
        return []
    late = weather.delay * random.uniform(1.0, 1.5) if weather.delay else 0.0
    if random.random() < weather.reordering:
        late += _OVERTAKEN
    copies = 2 if random.random() < weather.duplicates else 1
    return [late] * copies


class Sky:
    """Delivers datagrams as the weather lets them."""

    def __init__(self, weather: Weather, random: Random) -> None:
        self._weather = weather
        self._random = random
        self._clear = weather == Weather()

    def deliver(self, then: Callable[[], object]) -> None:
        """Call `then` for each copy that arrives, when it arrives."""
        if self._clear:
            then()
            return
        for late in fates(self._weather, self._random):
            if late:
                asyncio.get_running_loop().call_later(late, then)
            else:
                then()

    def loses(self) -> bool:
        """Whether something as rare as the loss of a packet happens now."""
        return self._random.random() < self._weather.loss

    def place(self, size: int) -> int:
        """Somewhere in so many bytes."""
        return self._random.randrange(max(size, 1))


class Link:
    """A cable that carries so many bytes a second for all who use it; 0 for a cable without a limit."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0

    async def carry(self, count: int) -> None:
        """Return when so many bytes are through; bytes of others go first where they came first."""
        if not self._rate:
            return
        now = asyncio.get_running_loop().time()
        self._free_at = max(now, self._free_at) + count / self._rate
        await asyncio.sleep(self._free_at - now)
