"""Sizes of roots: how they are written, and what they come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.rootsize import RootSize

GIB = 1 << 30


@pytest.mark.parametrize(
    ("written", "canonical", "option", "on_four_gib"),
    [
        ("50%", "50%", "50%", 2 * GIB),
        ("100 %", "100%", "100%", 4 * GIB),
        ("2GiB", "2GiB", "2048m", 2 * GIB),
        ("2 G", "2GiB", "2048m", 2 * GIB),
        ("512", "512MiB", "512m", GIB // 2),
    ],
)
def test_a_size_is_a_share_of_the_memory_or_a_size(
    written: str, canonical: str, option: str, on_four_gib: int
) -> None:
    size = RootSize(written)

    assert (size, size.mount_option, size.of(4 * GIB)) == (canonical, option, on_four_gib)


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "half", "2GB%", "-1", "1.5GiB", "50%,uid=0"])
def test_what_is_no_size_is_refused_with_two_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a share of the memory, 50%, or 2GiB"):
        RootSize(text)


@given(st.text(max_size=12))
def test_nothing_but_digits_and_a_unit_reaches_the_kernel_line(text: str) -> None:
    try:
        option = RootSize(text).mount_option
    except ValueError:
        return
    assert option.isascii()
    assert option[:-1].isdigit()
    assert option[-1] in "%m"
