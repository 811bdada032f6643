"""Ten thousand hostile inputs for every decoder at each run, each time of another seed; tests/long has more."""

from __future__ import annotations

import random

import pytest

from tests.support.fuzzing import feed, targets

pytestmark = pytest.mark.integration

TEN_THOUSAND = 10_000
_TARGETS = targets()


@pytest.mark.parametrize("name", _TARGETS)
def test_ten_thousand_inputs_end_as_documented(name: str) -> None:
    outcomes = feed(_TARGETS[name], TEN_THOUSAND, seed=random.randrange(1 << 32))

    assert len(outcomes) > 1, "every input ended in the same way: nothing behind the first check was tested"
