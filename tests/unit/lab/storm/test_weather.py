from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from provisioner.lab.storm.plan import Weather
from provisioner.lab.storm.weather import Link, Sky, fates

_parts = st.floats(0.0, 1.0)


@given(st.builds(Weather, _parts, _parts, _parts, st.floats(0.0, 1.0)), st.integers())
def test_a_datagram_arrives_never_once_or_twice_and_never_early(weather: Weather, seed: int) -> None:
    arrivals = fates(weather, Random(seed))

    assert len(arrivals) <= 2
    assert all(late >= weather.delay for late in arrivals)


def test_a_hundredth_of_the_datagrams_is_lost() -> None:
    random = Random(3)
    lost = sum(not fates(Weather(loss=0.01), random) for _ in range(10_000))

    assert 60 < lost < 140


def test_the_same_seed_is_the_same_weather() -> None:
    weather = Weather(0.1, 0.1, 0.1, 0.01)

    one, other = Random(5), Random(5)

    assert [fates(weather, one) for _ in range(100)] == [fates(weather, other) for _ in range(100)]


def test_clear_weather_delivers_at_once() -> None:
    got: list[int] = []

    Sky(Weather(), Random(1)).deliver(lambda: got.append(1))

    assert got == [1]


async def test_two_who_share_a_link_wait_for_each_other() -> None:
    link, loop = Link(1000), asyncio.get_running_loop()
    began = loop.time()

    await asyncio.gather(link.carry(50), link.carry(50))

    assert loop.time() - began >= 0.1


async def test_a_link_without_a_limit_keeps_nobody_waiting() -> None:
    await asyncio.wait_for(Link(0).carry(1 << 60), 10)
