"""Files of switches: what they say of nodes, and the text that a switch becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.switchfile import parsed, read_switch, switch_text
from provisioner.errors import ConfigError
from provisioner.model.switch import Pace, Switch, SwitchState, folded

FILE = "switches.d/rack1.yaml"
TEXT = """\
to: rocky-9@2
nodes: n[1-3]
from: {centos-7@1: "n[1-3]"}
images:
  rocky-9@2: n[1-2]
"""
NAMES = st.lists(st.integers(1, 30).map(lambda number: f"n{number}"), max_size=6, unique=True)
IMAGES = st.sampled_from(["rocky-9@2", "centos-7@1", "debian-12", "a@stable"])


@st.composite
def switches(draw: st.DrawFn) -> Switch:
    """Any switch."""
    sets = st.dictionaries(IMAGES, NAMES.map(folded), max_size=3)
    return Switch.model_validate(
        {
            "to": draw(IMAGES),
            "target": draw(st.sampled_from(["", "rocky-9"])),
            "nodes": folded(draw(NAMES)),
            "asked": draw(st.sampled_from(["", "@rack:r1!n3"])),
            "state": draw(st.sampled_from(SwitchState)),
            "from": draw(sets),
            "images": draw(sets),
            "done": folded(draw(NAMES)),
            "failed": draw(st.dictionaries(st.sampled_from(["n1", "n2"]), st.text("a: '\"#{}", max_size=8))),
            "since": draw(st.integers(0, 2**31)),
            "pace": Pace(
                canary=draw(st.integers(1, 9)), reboot=draw(st.sampled_from([None, "ssh {node} reboot"]))
            ),
        }
    )


@given(switches())
def test_a_switch_is_read_from_its_text_as_it_was(switch: Switch) -> None:
    assert read_switch(FILE, switch_text("rack1", switch)) == switch


def test_it_says_the_image_of_the_nodes_that_were_moved_and_makes_none() -> None:
    (entry,) = parsed(FILE, TEXT).entries

    assert (entry.names, entry.value.image, entry.overrides) == (("n1", "n2"), "rocky-9@2", True)
    assert entry.label == "switch rack1"
    assert (entry.place(("image",)).line, entry.place(("image",)).column) == (5, 3)


def test_a_switch_that_moved_nobody_says_nothing() -> None:
    assert parsed(FILE, "to: rocky-9@2\nnodes: n1\nimages: {rocky-9@2: ''}\n").entries == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("to: rocky-9\n", "nodes"),
        ("to: rocky-9\nnodes: n[1\n", "n[1"),
        ("to: rocky-9\nnodes: n1\nstate: away\n", "running"),
        ("to: rocky 9\nnodes: n1\n", "image"),
        ("to: rocky-9\nnodes: n1\nimages: {rocky-9: '@rack1'}\n", "rack1"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_switch_says_nothing(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"rack1\.yaml") as caught:
        read_switch(FILE, text)

    assert words in str(caught.value)
    assert parsed(FILE, text).problems == caught.value.problems
    assert parsed(FILE, text).entries == ()


def test_a_file_that_prov_would_not_find_again_is_a_problem() -> None:
    decoded = parsed("switches.d/rack1.yml", TEXT)

    assert decoded.entries == ()
    (problem,) = decoded.problems
    assert "ends in .yaml" in problem.message
    assert "rack1.yaml" in problem.hint
