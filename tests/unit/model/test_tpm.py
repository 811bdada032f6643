"""Registers as people write them."""

from __future__ import annotations

import pytest

from provisioner.model.tpm import Registers


@pytest.mark.parametrize(
    ("text", "kept"), [("0,2,4,7", "0,2,4,7"), ("7, 0", "0,7"), ("4,4", "4"), ("9", "9"), ("09,1", "1,9")]
)
def test_registers_are_kept_in_order_and_once(text: str, kept: str) -> None:
    assert Registers(text) == kept
    assert Registers(text).numbers == tuple(map(int, kept.split(",")))


@pytest.mark.parametrize("text", ["", ",", "10", "-1", "0-7", "0 7", "x", "1,", "\u0661"])
def test_what_are_no_registers_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected some of 0 to 9, as in 0,2,4,7"):
        Registers(text)
