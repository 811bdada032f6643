"""The options that `prov node` and `prov group` share: what to write into an entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from provisioner.registry.changes import Changes

F = TypeVar("F", bound=Callable[..., object])

_RUNTIME = "Kept for a later version: the agent does not fetch them yet."


def layer_options(function: F) -> F:
    """Add the options for what nodes and groups have in common."""
    options = (
        click.option(
            "--group", "groups", multiple=True, metavar="NAME", help="Be in this group; repeat for more."
        ),
        click.option("--image", metavar="IMAGE", help="NAME, NAME@GENERATION or NAME@sha256:DIGEST."),
        click.option("--kernel-arg", "kernel_args", multiple=True, metavar="ARG", help="Add a kernel argument."),
        click.option("--system-overlay", "system_overlays", multiple=True, metavar="NAME", help="Laid at boot."),
        click.option("--runtime-overlay", "runtime_overlays", multiple=True, metavar="NAME", help=_RUNTIME),
        click.option("--script", metavar="NAME", help="The template of the boot script."),
        click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A value for templates."),
    )
    return _with(function, options)


def interface_options(function: F) -> F:
    """Add the options for one network device of a node."""
    options = (
        click.option("--interface", default="eth0", show_default=True, help="The device of the options below."),
        click.option("--network", metavar="NAME", help="Its network; needed when the site has several."),
        click.option("--mac", help="Its hardware address; for a single node."),
        click.option("--ip", metavar="ADDRESS", help="10.0.1.7, or 10.0.1.1+ to count by the node's number."),
        click.option("--ip6", metavar="ADDRESS", help="The same for IPv6."),
    )
    return _with(function, options)


def changes_of(options: dict[str, Any]) -> Changes:
    """The values that were given, from the options of a command."""
    return Changes(**{**options, "tags": dict(map(_tag, options["tags"]))})


def _with(function: F, options: tuple[Callable[[F], F], ...]) -> F:
    # The last decorator applied is shown first.
    for option in reversed(options):
        function = option(function)
    return function


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--tag")
    return key, value
