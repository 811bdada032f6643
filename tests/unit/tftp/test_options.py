from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.tftp.options import MAX_BLOCK, MAX_WINDOW, Terms, negotiate


def test_without_options_nothing_is_granted() -> None:
    assert negotiate({}, 100) == Terms(block=512, window=1, timeout=1.0, granted={})


def test_what_ovmf_asks_is_granted_with_the_size() -> None:
    terms = negotiate({"tsize": "0", "blksize": "1468", "windowsize": "4"}, 218_000)

    assert terms == Terms(1468, 4, 1.0, {"blksize": "1468", "windowsize": "4", "tsize": "218000"})


def test_more_than_an_ethernet_frame_is_granted_as_less() -> None:
    terms = negotiate({"blksize": "65464", "windowsize": "65535"}, 0)

    assert (terms.block, terms.window) == (MAX_BLOCK, MAX_WINDOW)
    assert terms.granted == {"blksize": str(MAX_BLOCK), "windowsize": str(MAX_WINDOW)}


def test_the_timeout_is_the_clients() -> None:
    assert negotiate({"timeout": "3"}, 0) == Terms(timeout=3.0, granted={"timeout": "3"})


@pytest.mark.parametrize("name", ["blksize", "windowsize", "timeout"])
@pytest.mark.parametrize("value", ["", "0", "-1", "1e3", "99999", "\u0663", "9" * 400])
def test_a_value_out_of_range_counts_as_not_sent(name: str, value: str) -> None:
    assert negotiate({name: value}, 0) == Terms()


@given(st.dictionaries(st.sampled_from(["blksize", "windowsize", "timeout", "tsize", "x"]), st.text()))
def test_whatever_is_asked_the_terms_are_sane(asked: dict[str, str]) -> None:
    terms = negotiate(asked, 10)

    assert 8 <= terms.block <= MAX_BLOCK
    assert 1 <= terms.window <= MAX_WINDOW
    assert 1 <= terms.timeout <= 30
