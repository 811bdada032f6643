"""Escapers: a value never changes how many words or commands its language sees."""

from __future__ import annotations

import shlex

import pytest
import yaml as yaml_library
from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.escape import UnsafeValueError, device, domain, ipxe, ipxe_text, refuse, shell, yaml


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


@given(st.text())
def test_yaml_reads_a_scalar_as_the_text_that_it_was_or_it_is_refused(text: str) -> None:
    try:
        written = yaml(text)
    except UnsafeValueError:
        return
    assert yaml_library.safe_load(f"a: {written}\nb: [{written}, 1]") == {"a": text, "b": [text, 1]}


@pytest.mark.parametrize("text", ["a\nb", "a\x85b", "a\u2028b", "\ud800"])
def test_yaml_refuses_what_would_be_another_line(text: str) -> None:
    with pytest.raises(UnsafeValueError, match="line break or control character"):
        yaml(text)


@given(st.text())
def test_names_in_network_files_are_refused_or_stay_as_they_are(text: str) -> None:
    for filter_ in (device, domain):
        try:
            assert filter_(text) == text
        except UnsafeValueError:
            continue
        assert not set(text) & set(" \t\n[]=#;,'\"\\$`/%")


@pytest.mark.parametrize("name", ["eth0", "bond0.100", "ib0_a", "0", "a" * 15])
def test_names_of_devices_are_names_of_devices(name: str) -> None:
    assert device(name) == name


@pytest.mark.parametrize("name", ["", "a" * 16, ".eth0", "-x", "eth0\n", "eth 0", "é"])
def test_other_names_are_not(name: str) -> None:
    with pytest.raises(UnsafeValueError, match="is not the name of a network device"):
        device(name)


def test_a_template_can_refuse_and_say_why() -> None:
    with pytest.raises(UnsafeValueError, match=r"^this cannot be said$"):
        refuse("this cannot be said")
