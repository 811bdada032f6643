"""Escapers: a value never changes how many words or commands its language sees."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.escape import UnsafeValueError, ipxe, ipxe_text, shell


@given(st.text(alphabet=st.characters(blacklist_characters="\0")))
def test_a_shell_reads_any_text_as_one_word(text: str) -> None:
    assert shlex.split(shell(text)) == [text]


@pytest.mark.parametrize("text", ["${net0/mac}", "a || shell", "a && reboot", "a ; b", "x #comment"])
def test_ipxe_gets_nothing_that_it_would_act_on(text: str) -> None:
    with pytest.raises(UnsafeValueError, match="means something to iPXE"):
        ipxe(text)


@given(st.text())
def test_words_for_a_person_are_never_refused_and_never_mean_anything_to_ipxe(text: str) -> None:
    told = ipxe_text(text)

    assert ipxe(told) == told
    assert len(told) == len(text)
    assert all(" " <= character <= "~" for character in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kernel argument of n001: '${net0/mac}'", "kernel argument of n001: '?{net0/mac}'"),
        ("two\nlines\x1b[2J", "two?lines?[2J"),
        ("a || shell && b ; c # d", "a ?? shell ?? b ? c ? d"),
        ("caf\u00e9 \ud800", "caf? ?"),
    ],
)
def test_a_reason_stays_readable_on_the_screen_of_ipxe(text: str, told: str) -> None:
    assert ipxe_text(text) == told


def test_ordinary_kernel_arguments_pass_to_ipxe_unchanged() -> None:
    line = "console=ttyS0,115200n8 ip=10.0.0.1:::255.255.0.0 quiet a=b#c x=$HOME"

    assert ipxe(line) == line
