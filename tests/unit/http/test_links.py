"""Speeds of links, kept for a while."""

from __future__ import annotations

import asyncio

import pytest

from provisioner.http import links
from provisioner.http.links import Links


async def test_a_link_is_looked_at_at_the_start_and_not_with_every_question() -> None:
    looked: list[str] = []

    def measure(device: str) -> int:
        looked.append(device)
        return 10**9

    speeds = Links({"provision": "eth0"}, measure)

    assert [speeds.speed("provision"), speeds.speed("provision"), speeds.speed("other")] == [10**9, 10**9, None]
    assert looked == ["eth0"]


async def test_a_cable_that_comes_late_is_seen_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_LOOK_SECONDS", 0.0)
    told: list[int | None] = [None, 10**10]
    speeds = Links({"provision": "eth0"}, lambda _: told.pop(0) if len(told) > 1 else told[0])
    assert speeds.speed("provision") is None

    async with asyncio.timeout(10):
        while speeds.speed("provision") != 10**10:
            await asyncio.sleep(0.001)
