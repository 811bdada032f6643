from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ProvisionerError
from provisioner.image.remote import Machine


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("n001", Machine(None, "n001", None, "/")),
        ("root@n001.example:2222/srv/chroot", Machine("root", "n001.example", "2222", "/srv/chroot")),
        ("[fd00::1]/", Machine(None, "fd00::1", None, "/")),
    ],
)
def test_a_machine_has_a_user_a_port_and_a_folder(place: str, expected: Machine) -> None:
    assert Machine.parse(place) == expected


@given(st.text(max_size=40))
def test_nothing_that_people_type_becomes_an_option_of_ssh(place: str) -> None:
    try:
        machine = Machine.parse(place)
    except ProvisionerError:
        return
    command = machine.command("true", Path("config"))
    assert not machine.host.startswith("-")
    assert command[command.index("--") + 1] == machine.host
    assert all(not word.startswith("-") for word in (machine.user or "x", machine.port or "1"))


def test_the_script_is_one_word_for_the_shell_over_there() -> None:
    command = Machine(None, "n001", None, "/").command("echo 'a b'; echo c", None)

    assert shlex.split(command[-1]) == ["exec", "sh", "-c", "echo 'a b'; echo c"]


def test_the_line_to_try_the_connection_with_names_user_and_port() -> None:
    machine = Machine.parse("root@n001:2222/srv")

    assert machine.ssh(None, "true") == ["ssh", "-p", "2222", "-l", "root", "--", "n001", "true"]
