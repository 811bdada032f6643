"""Options to changes."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from provisioner.cli.changes import changes_of, interface_options, layer_options
from provisioner.registry.changes import Changes


def changes(*words: str) -> Changes:
    found: list[Changes] = []

    @click.command()
    @layer_options
    @interface_options
    def command(**options: Any) -> None:
        found.append(changes_of(options))

    result = CliRunner().invoke(command, list(words))
    if result.exit_code:
        raise click.UsageError(result.stderr)
    return found[0]


def test_every_option_finds_its_place() -> None:
    words = "--group g --group h --image i --kernel-arg k --system-overlay s --runtime-overlay r --script x"
    more = "--tag a=b=c --interface ib0 --network n --mac m --ip p --ip6 q"

    assert changes(*words.split(), *more.split()) == Changes(
        groups=("g", "h"),
        image="i",
        kernel_args=("k",),
        system_overlays=("s",),
        runtime_overlays=("r",),
        script="x",
        tags={"a": "b=c"},
        interface="ib0",
        network="n",
        mac="m",
        ip="p",
        ip6="q",
    )


def test_no_options_are_no_changes() -> None:
    assert changes() == Changes()


@pytest.mark.parametrize("tag", ["a", "=b"])
def test_a_tag_is_a_key_and_a_value(tag: str) -> None:
    with pytest.raises(click.UsageError, match="KEY=VALUE"):
        changes("--tag", tag)
