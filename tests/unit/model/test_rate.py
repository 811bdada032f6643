"""Rates of links as people write them."""

from __future__ import annotations

import pytest

from provisioner.model.rate import Rate


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("10Gbit", 10**10),
        ("2.5Gbit", 2_500_000_000),
        ("900 Mbit/s", 900_000_000),
        ("1gbit", 10**9),
        ("unlimited", None),
    ],
)
def test_a_rate_is_a_number_of_bits_a_second(text: str, bits: int | None) -> None:
    assert Rate(text).bits == bits


@pytest.mark.parametrize(
    "text", ["", "10", "10G", "10 GB", "-1Gbit", "0Mbit", "0.1Mbit", "1Tbit", "٣Gbit", "none"]
)
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected 10Gbit, 900Mbit, or unlimited"):
        Rate(text)
