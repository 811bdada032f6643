"""A million hostile inputs for every decoder: only the documented error may come out, and soon.

Two processes take half of the inputs each. A failure names the seed of its half and the input, which
`variations(samples, Random(seed))` makes again.
"""

from __future__ import annotations

import resource
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from tests.support.fuzzing import Fuzzed, feed, targets

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

MILLION = 1_000_000
SEED = 20_077
MEMORY = 2 << 30
_PROCESSES = 2
# What only people with an account reach is slow to read, and gets less.
_COUNTS = {"site files": MILLION // 10, "node sets": MILLION // 10}
_TARGETS = targets()


@pytest.mark.parametrize("name", _TARGETS)
def test_a_million_inputs_end_as_documented(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    count = _COUNTS.get(name, MILLION)
    outcomes = _fed_by_two(_TARGETS[name], count)
    assert outcomes.total() == count
    assert len(outcomes) > 1, "every input ended in the same way: nothing behind the first check was tested"
    shown = ", ".join(f"{what} {number}" for what, number in outcomes.most_common())
    with capsys.disabled():
        print(f"\n{name}: {count} inputs from seed {SEED}: {shown}")


def _fed_by_two(fuzzed: Fuzzed, count: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    # Forked: the children have the targets already, and the parent has no threads yet.
    with ProcessPoolExecutor(_PROCESSES, get_context("fork"), _limit_memory) as pool:
        seeds = range(SEED, SEED + _PROCESSES)
        for part in pool.map(partial(feed, fuzzed, count // _PROCESSES), seeds):
            outcomes += part
    return outcomes


def _limit_memory() -> None:
    # An input that asks for all memory must end its process and not the machine.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
