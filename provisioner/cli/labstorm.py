"""`prov lab storm`: thousands of simulated nodes boot at once against the real daemon."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from provisioner.cli.output import format_option
from provisioner.config.paths import Paths

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_BITS = {"": 1, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000}


class Size(click.ParamType[int]):
    """A number of bytes such as 128KiB, 1M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)\s*([KMG]?)(?:i?B)?", str(value), re.IGNORECASE)
        if not found:
            self.fail(f"{value!r} is not a size such as 128KiB or 1M", param, ctx)
        return int(found[1]) * _UNITS[found[2].upper()]


class Rate(click.ParamType[int]):
    """A rate such as 10Gbit; 0 for no limit."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes a second."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)\s*([KMG]?)(?:bit(?:/s)?)?", str(value), re.IGNORECASE)
        if not found:
            self.fail(f"{value!r} is not a rate such as 10Gbit", param, ctx)
        return int(found[1]) * _BITS[found[2].upper()] // 8


PERCENT = click.FloatRange(0, 90)


@click.command()
@click.option("--nodes", default=500, show_default=True, type=click.IntRange(1, 100_000), help="How many at once.")
@click.option("--loss", default=0.0, type=PERCENT, metavar="PERCENT", help="Lost packets, broken transfers.")
@click.option("--duplicates", default=0.0, type=PERCENT, metavar="PERCENT", help="Packets that come twice.")
@click.option("--reorder", default=0.0, type=PERCENT, metavar="PERCENT", help="Packets that are overtaken.")
@click.option("--delay", default=0.0, type=click.FloatRange(0, 1000), metavar="MS", help="One way.")
@click.option("--loader", default="128KiB", type=Size(), show_default=True, help="Size of the loader.")
@click.option("--image", default="1MiB", type=Size(), show_default=True, help="Size of the root image.")
@click.option("--port", default="1Gbit", type=Rate(), show_default=True, help="Link of each node; 0: no limit.")
@click.option("--link", default="0", type=Rate(), help="Link of the head node.  [default: no limit]")
@click.option(
    "--think", default=1.0, show_default=True, type=click.FloatRange(0, 10), help="Times the nodes' own time."
)
@click.option(
    "--spread", default=0.0, type=click.FloatRange(0), metavar="SECONDS", help="Switched on over this time."
)
@click.option(
    "--kill", "kills", default=0, type=click.IntRange(0, 20), help="Kill the daemon so often on the way."
)
@click.option(
    "--patience", default=1800.0, type=click.FloatRange(1), metavar="SECONDS", help="Then a node has failed."
)
@click.option(
    "--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes of clients."
)
@click.option("--seed", default=1, show_default=True, type=int, help="The same storm again.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep site, logs and outcomes there.")
@format_option
def command(style: str, folder: Path | None, **options: Any) -> None:
    """Boot thousands of simulated nodes at once against a daemon and a site of the storm's own.

    The clients speak DHCP (relayed), TFTP and HTTP as machines do, in a network of their own (root).
    """
    import tempfile

    from provisioner.cli.stormtable import show
    from provisioner.lab.storm.storm import storm

    with tempfile.TemporaryDirectory(prefix="prov-storm-") as scratch:
        result = storm(
            _wanted(options), (folder or Path(scratch)).absolute(), lambda line: click.echo(line, err=True)
        )
    show(result, style, options)
    if result.failed:
        raise SystemExit(1)


def _wanted(options: dict[str, Any]) -> Any:
    from provisioner.lab.storm import scratch
    from provisioner.lab.storm.plan import Plan, Weather
    from provisioner.lab.storm.storm import Wanted

    parts = {"loss": "loss", "duplicates": "duplicates", "reorder": "reordering"}
    weather = Weather(**{name: options[each] / 100 for each, name in parts.items()}, delay=options["delay"] / 1000)
    same = {name: options[name] for name in ("seed", "think", "spread", "port", "link", "patience")}
    plan = Plan(head=str(scratch.HEAD.ip), relay=str(scratch.RELAY), weather=weather, **same)
    sizes = scratch.Sizes(loader=options["loader"], root=options["image"])
    return Wanted(options["nodes"], plan, sizes, options["processes"], options["kills"])


@click.command("storm-clients", hidden=True)
@click.argument("crowd", type=click.Path(path_type=Path))
@click.argument("outcomes", type=click.Path(path_type=Path))
@click.argument("progress", type=click.Path(path_type=Path))
@click.pass_obj
def clients(_paths: Paths, crowd: Path, outcomes: Path, progress: Path) -> None:
    """Be one process of clients."""
    from provisioner.lab.storm.crowd import run_crowd

    run_crowd(crowd, outcomes, progress)
