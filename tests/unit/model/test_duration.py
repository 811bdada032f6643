"""Lengths of time as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.duration import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("90min", 5400), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("0d", 0)],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert Duration(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "1.5h", "-3d", "3 days", "1d12h", "9999999999s", "٣d"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="expected 30d, 12h, 90min"):
        Duration(text)


@given(st.integers(0, 10**9 - 1), st.sampled_from(["s", "min", "h", "d", "w"]), st.sampled_from(["", " "]))
def test_every_spelling_has_one_form(number: int, unit: str, blank: str) -> None:
    assert Duration(f"{number:03}{blank}{unit}" if number < 10**6 else f"{number}{unit}") == f"{number}{unit}"
