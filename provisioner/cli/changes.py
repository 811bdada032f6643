"""What `prov node` and `prov group` write: options for what people write often, FIELD=VALUE for everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from provisioner.cli import complete
from provisioner.config.emit import Writable, flow

F = TypeVar("F", bound=Callable[..., object])

_FIELDS = {
    "groups": "groups",
    "image": "image",
    "comment": "comment",
    "system_overlays": "overlays.system",
    "runtime_overlays": "overlays.runtime",
    "kernel_version": "kernel.version",
    "kernel_args": "kernel.args",
    "script": "script",
    "bmc_driver": "bmc.driver",
    "bmc_ip": "bmc.ip",
    "bmc_user": "bmc.username",
}
_INTERFACE_FIELDS = ("network", "mac", "ip", "ip6", "mtu", "gateway")
_RUNTIME = "Kept up to date on the running node by the agent."


def layer_options(function: F) -> F:
    """Add the options for what nodes and groups have in common, and arguments FIELD=VALUE."""
    options = (
        click.option(
            "--group",
            "groups",
            multiple=True,
            metavar="NAME",
            shell_complete=complete.groups,
            help="Be in this group; repeat for more.",
        ),
        click.option(
            "--image",
            metavar="IMAGE",
            shell_complete=complete.images,
            help="NAME, NAME@GENERATION or NAME@sha256:DIGEST.",
        ),
        click.option("--comment", metavar="TEXT", help="A remark for people; it is not inherited."),
        click.option("--kernel-version", metavar="RELEASE", help="The kernel of the image, or how it begins."),
        click.option("--kernel-arg", "kernel_args", multiple=True, metavar="ARG", help="Add a kernel argument."),
        _overlay_option("--system-overlay", "system_overlays", "Laid at boot."),
        _overlay_option("--runtime-overlay", "runtime_overlays", _RUNTIME),
        click.option("--script", metavar="NAME", help="The template of the boot script."),
        click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A value for templates."),
        click.option("--bmc-driver", metavar="DRIVER", help="ipmi or redfish."),
        click.option("--bmc-ip", metavar="ADDRESS", help="Of the management controller; may count as --ip."),
        click.option("--bmc-user", metavar="NAME", help="Who logs in to it."),
        click.option("--interface", default="eth0", show_default=True, help="The device of the options below."),
        click.option("--network", metavar="NAME", help="Its network; needed when the site has several."),
        click.option("--mtu", metavar="BYTES", help="Its MTU, when it is not the network's."),
        click.option("--gateway", metavar="ADDRESS", help="Its gateway, when it is not the network's."),
    )
    return _with(function, options)


def interface_options(function: F) -> F:
    """Add the options that tell one node's network device."""
    options = (
        click.option("--mac", help="Its hardware address; for a single node."),
        click.option("--ip", metavar="ADDRESS", help="10.0.1.7, or 10.0.1.1+ to count by the node's number."),
        click.option("--ip6", metavar="ADDRESS", help="The same for IPv6."),
    )
    return _with(function, options)


def assignment_argument(function: F) -> F:
    """Add the arguments FIELD=VALUE."""
    argument = click.argument(
        "assignments",
        nargs=-1,
        metavar="[FIELD=VALUE|FIELD+=VALUE|FIELD-=VALUE]...",
        shell_complete=complete.fields,
    )
    return argument(function)


def assignments_of(options: Mapping[str, Any]) -> list[str]:
    """What options and arguments say, as `FIELD=VALUE`, in the order of an entry."""
    wanted = {path: options[name] for name, path in _FIELDS.items()}
    wanted |= {f"tags.{quoted(key)}": value for key, value in map(_tag, options["tags"])}
    device = quoted(options["interface"])
    wanted |= {f"interfaces.{device}.{name}": options.get(name) for name in _INTERFACE_FIELDS}
    given = {path: value for path, value in wanted.items() if value is not None and value != ()}
    return [*(f"{path}={_text(value)}" for path, value in given.items()), *options["assignments"]]


def quoted(step: str) -> str:
    """One step of a dotted path; with dots of its own it needs quotes."""
    return f'"{step}"' if "." in step else step


def _text(value: str | Iterable[str]) -> str:
    # A kernel argument may hold a comma, which would part it in the short form of a list.
    return value if isinstance(value, str) else flow(_listed(value))


def _listed(value: Iterable[str]) -> Writable:
    return list(value)


def _overlay_option(name: str, field: str, text: str) -> Callable[[F], F]:
    return click.option(name, field, multiple=True, metavar="NAME", shell_complete=complete.overlays, help=text)


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
