"""Escapers: a value never changes how many words or commands its language sees."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.escape import UnsafeValueError, ipxe, shell


@given(st.text(alphabet=st.characters(blacklist_characters="\0")))
def test_a_shell_reads_any_text_as_one_word(text: str) -> None:
    assert shlex.split(shell(text)) == [text]


@pytest.mark.parametrize("text", ["${net0/mac}", "a || shell", "a && reboot", "a ; b", "x #comment"])
def test_ipxe_gets_nothing_that_it_would_act_on(text: str) -> None:
    with pytest.raises(UnsafeValueError, match="means something to iPXE"):
        ipxe(text)


def test_ordinary_kernel_arguments_pass_to_ipxe_unchanged() -> None:
    line = "console=ttyS0,115200n8 ip=10.0.0.1:::255.255.0.0 quiet a=b#c x=$HOME"

    assert ipxe(line) == line
