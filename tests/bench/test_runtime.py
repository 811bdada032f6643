"""Running nodes that wait for news: what an edit of a runtime overlay costs, and how long it takes to reach all.

And many nodes that boot at once, when nothing was rendered yet.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import psutil
import pytest

from provisioner.config.paths import Paths
from provisioner.model.boot import TokenStage
from tests.bench.make_site import make_site, name_of
from tests.support.agents import Agents, Response, add_addresses, agents_of, ask, tokens_of
from tests.support.daemon import add_generation
from tests.support.rig import Server, daemon, rig

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.timeout(900)]

HELD = 10_000
AT_ONCE = 50
NEWS = "overlays/news/rootfs/etc/news.j2"
# What the overlay of all running nodes makes: one text for all, or one of each node.
TEMPLATES = {"the same for all": "news of {{ cluster }}: %s\n", "of each node": "news for {{ node.name }}: %s\n"}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_an_edit_reaches_ten_thousand_nodes_that_wait(tmp_path: Path, kind: str) -> None:
    paths = _site(tmp_path, HELD)
    _write(paths, TEMPLATES[kind] % "none")

    async def work(agents: Agents, server: Server) -> None:
        idle = server.memory()
        spent = await _spent(server, agents.start)
        memory = server.memory()
        print(f"\n{HELD} agents that wait, an edit of an overlay that is {kind}; processor time is the daemon's:")
        print(f"  all report and get their first overlay   {spent:>8.1f} s")
        print(f"  held for ten seconds                     {await _spent(server, _ten_seconds):>8.1f} s")
        print(f"  memory of the front, before and held     {_mib(idle):>8} MiB {_mib(memory):>6} MiB")
        await _edit(paths, agents, server, TEMPLATES[kind] % "some")
        print(f"  memory of all processes afterwards       {sum(server.memory().values()) >> 20:>8} MiB")

    _with_agents(paths, work)


def test_many_nodes_that_ask_at_once_of_a_daemon_that_has_just_started(tmp_path: Path) -> None:
    print(f"\n{AT_ONCE} nodes ask for their system overlays at once, nothing rendered yet:")
    print(f"  {'nodes of the site':>18}{'p50':>10}{'p99':>10}{'processor':>12}")
    for count in (100, 1_000, 10_000):
        paths = _site(tmp_path / str(count), count)
        with rig() as place, daemon(place.home, paths) as server:
            addresses = add_addresses(place)
            tokens = tokens_of(paths, [name_of(number) for number in range(1, AT_ONCE + 1)], TokenStage.STAGE1)

            async def burst(tokens: list[str] = tokens) -> list[Response]:
                asked = (ask(f"/t/{token}/overlay/system", address=addresses[0]) for token in tokens)  # noqa: B023 - used in this turn
                return await asyncio.gather(*asked)

            spent = server.cpu_seconds()
            with place.clients.entered():
                answers = asyncio.run(burst())
            spent = server.cpu_seconds() - spent
        assert {answer.status for answer in answers} == {200}
        took = sorted(answer.seconds for answer in answers)
        print(f"  {count:>18}{median(took):>8.2f} s{took[-1]:>8.2f} s{spent:>10.2f} s")


def _site(root: Path, count: int) -> Paths:
    paths = make_site(root, count, image="demo")
    groups = paths.group_files / "base.yaml"
    groups.write_text(groups.read_text().replace("runtime: [hosts]", "runtime: [news]"))
    _write(paths, "none\n")
    add_generation(paths)
    return paths


def _write(paths: Paths, text: str) -> None:
    file = paths.site / NEWS
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _with_agents(paths: Paths, work: Callable[[Agents, Server], Awaitable[None]]) -> None:
    with rig() as place, daemon(place.home, paths) as server:
        add_addresses(place)
        agents = agents_of(paths, [name_of(number) for number in range(1, HELD + 1)])

        async def run() -> None:
            await work(agents, server)
            await agents.stop()

        with place.clients.entered():
            asyncio.run(run())


async def _edit(paths: Paths, agents: Agents, server: Server, text: str) -> None:
    before = {agent.node: agent.applied for agent in agents.agents}
    started = time.monotonic()

    async def reach_all() -> None:
        _write(paths, text)
        await agents.until(
            lambda: all(each.is_holding and each.applied != before[each.node] for each in agents.agents)
        )

    earlier = server.cpu_by_process()
    spent = await _spent(server, reach_all)
    later = server.cpu_by_process()
    front, *others = ((pid, seconds - earlier.get(pid, 0.0)) for pid, seconds in later.items())
    # The process that tries everything beforehand is nice to all others.
    beforehand = sum(seconds for pid, seconds in others if psutil.Process(pid).nice() > 0)
    took = sorted(agent.changed - started for agent in agents.agents)
    print(f"  an edit until all have it and said so    {spent:>8.1f} s ({spent * 1000 / HELD:.2f} ms a node)")
    print(f"  of that the front, which answers         {front[1]:>8.1f} s")
    print(f"  of that to try all nodes beforehand      {beforehand:>8.1f} s")
    print(f"  wall seconds until the first, half, all  {took[0]:.1f} {median(took):.1f} {took[-1]:.1f}")


async def _spent(server: Server, work: Callable[[], Awaitable[None]]) -> float:
    before = server.cpu_seconds()
    await work()
    return server.cpu_seconds() - before


async def _ten_seconds() -> None:
    await asyncio.sleep(10)


def _mib(memory: dict[int, int]) -> int:
    return next(iter(memory.values())) >> 20
