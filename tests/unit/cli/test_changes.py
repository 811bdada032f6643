"""Options to assignments."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from provisioner.cli.changes import assignment_argument, assignments_of, interface_options, layer_options
from provisioner.model.written import NodeEntry
from provisioner.registry.field import parse_assignment


def assignments(*words: str) -> list[str]:
    found: list[list[str]] = []

    @click.command()
    @assignment_argument
    @layer_options
    @interface_options
    def command(**options: Any) -> None:
        found.append(assignments_of(options))

    result = CliRunner().invoke(command, list(words))
    if result.exit_code:
        raise click.UsageError(result.stderr)
    return found[0]


def test_every_option_finds_its_field_and_a_value_that_the_field_takes() -> None:
    words = "--group g --group h --image i --kernel-arg k=1,2 --system-overlay s --runtime-overlay r --script x"
    more = (
        "--tag a=b=c --interface ib0 --network n --mac 52:54:00:00:00:01 --ip 10.0.1.1+ --ip6 fd00::1 --mtu 9000"
    )
    last = "--gateway 10.0.0.1 --kernel-version 6.1 --bmc-driver redfish --bmc-ip 10.1.0.1+ --bmc-user admin"

    parsed = [
        parse_assignment(each, NodeEntry) for each in assignments(*words.split(), *more.split(), *last.split())
    ]

    assert {".".join(each.path): each.value for each in parsed} == {
        "groups": ["g", "h"],
        "image": "i",
        "kernel.version": "6.1",
        "kernel.args": ["k=1,2"],
        "overlays.system": ["s"],
        "overlays.runtime": ["r"],
        "script": "x",
        "tags.a": "b=c",
        "bmc.driver": "redfish",
        "bmc.ip": "10.1.0.1+",
        "bmc.username": "admin",
        "interfaces.ib0.network": "n",
        "interfaces.ib0.mac": "52:54:00:00:00:01",
        "interfaces.ib0.ip": "10.0.1.1+",
        "interfaces.ib0.ip6": "fd00::1",
        "interfaces.ib0.mtu": 9000,
        "interfaces.ib0.gateway": "10.0.0.1",
    }
    assert {each.operator for each in parsed} == {"="}


def test_arguments_come_behind_the_options_as_they_were_typed() -> None:
    assert assignments("kernel.args+=quiet", "--comment", "a, b", "tags.x=") == [
        "comment=a, b",
        "kernel.args+=quiet",
        "tags.x=",
    ]


def test_a_device_or_a_tag_with_dots_is_one_step_of_the_path() -> None:
    first, second = assignments("--tag", "a.b=c", "--interface", "bond0.5", "--mtu", "9000")

    assert parse_assignment(first, NodeEntry).path == ("tags", "a.b")
    assert parse_assignment(second, NodeEntry).path == ("interfaces", "bond0.5", "mtu")


def test_no_options_are_no_changes() -> None:
    assert assignments() == []


@pytest.mark.parametrize("tag", ["a", "=b"])
def test_a_tag_is_a_key_and_a_value(tag: str) -> None:
    with pytest.raises(click.UsageError, match="KEY=VALUE"):
        assignments("--tag", tag)
