"""Secrets in texts that people look at."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.operations.disguise import Disguise, stars

SECRET = "hunter2"


def seen(text: str) -> str:
    return stars(Disguise().put_on(text))


@pytest.mark.parametrize(
    "text",
    [
        "nodes:\n  n1:\n    bmc:\n      password: hunter2\n      username: root\n",
        "nodes:\n  n1: {bmc: {password: hunter2, username: root}}\n",
        'nodes:\n  n1: {bmc: {"password": "hunter2", username: root}}\n',
        "nodes:\n  n1:\n    bmc:\n      password: |\n        hunter2\n      username: root\n",
        "nodes:\n  n1:\n    bmc:\n      password: >-\n        x\n\n        hunter2\n      username: root\n",
        'nodes:\n  n1:\n    bmc:\n      password: "x\n        hunter2"\n      username: root\n',
        "nodes:\n  n1: {password: [hunter2], username: root}\n",
        "# password: hunter2\nnodes: {n1: {bmc: {username: root}}}\n",
        "nodes: {n1: {bmc: {username: root}}} # was password=hunter2\n",
        "groups:\n  g: {bmc: {username: root, password: 'hunter2'}}\n",
        # Texts that are no YAML, or not what they should be.
        "nodes:\n  n1: {bmc: {username: root,\n     password: hunter2\n",
        "username: root\n\tpassword: hunter2\n",
        "username: root\nnodes:\n  n1: [\n    password:\n\n      hunter2\n  n2:\n",
        "username: root\nx: {password: hunter2}\nx: {password: hunter2}\n",
        "username: root\nx: *a\npassword: |\n  hunter2\n\n  hunter2\n",
    ],
)
def test_a_secret_is_hidden_however_it_is_written_and_the_rest_stays(text: str) -> None:
    shown = seen(text)

    assert SECRET not in shown
    assert "********" in shown
    assert "username: root" in shown


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")).filter(lambda text: len(text) > 12))
def test_no_password_is_seen_whatever_its_letters(secret: str) -> None:
    written = json.dumps(secret)

    assert written not in seen(f"nodes:\n  n1:\n    bmc: {{password: {written}, username: root}}\n")


@given(st.text(alphabet=st.sampled_from("password: {}[]#'\"\n x|>-")))
def test_any_text_can_be_disguised(text: str) -> None:
    assert "\0" not in seen(text)


def test_what_holds_no_secret_stays_as_it_is() -> None:
    text = "# remark\nnodes:\n  n1: {image: x, bmc: {username: 'root', ~password: }}  # end\n"

    assert seen(text) == text


def test_equal_secrets_are_equal_and_others_are_others() -> None:
    disguise = Disguise()
    one, same, other = (disguise.put_on(f"bmc: {{password: {each}}}\n") for each in ("a", "a", "b"))

    assert one == same != other
