"""How the result of a storm is printed."""

from __future__ import annotations

from collections.abc import Mapping

import click

from provisioner.cli.output import lines, table, write_data
from provisioner.config.emit import Writable
from provisioner.lab.storm.result import Result, Row

_STEPS = ("step", "begins", "p50", "p90", "p99", "max", "chart")


def show(result: Result, style: str, options: Mapping[str, int | float]) -> None:
    """Print a storm and what it was raised with."""
    if style == "table":
        _print(result, options)
    else:
        write_data({"options": dict(options), **_data(result)}, style)


def _data(result: Result) -> dict[str, Writable]:
    return {
        "summary": result.summary(),
        "steps": list(result.waterfall()),
        "repeats": result.repeats(),
        "causes": result.causes(),
        "sizing": result.sizing(),
    }


def _print(result: Result, options: Mapping[str, int | float]) -> None:
    sizes = ", ".join(f"{name} {int(options[name]) >> 10} KiB" for name in ("loader", "image"))
    click.echo(
        f"{sizes}, loss {options['loss']:g} %, think times x {options['think']:g}, seed {options['seed']}\n"
    )
    lines(result.summary().items())
    click.echo()
    _table(list(result.waterfall()), _STEPS)
    again = ", ".join(f"{name} {count}" for name, count in result.repeats().items())
    click.echo(f"\nagain: {again}")
    for row in result.causes():
        click.echo(f"{row['times']} x {row['cause']}")
    click.echo(
        "\nseconds of the head node's processors, as measured; minutes for 500 MiB a node, from the link alone:"
    )
    sizing = result.sizing()
    _table(sizing, tuple(sizing[0]))
    if result.client_was_bottleneck:
        hint = "prov lab storm --processes 2, or --spread 60"
        click.echo(f"\nThe CLIENTS were the bottleneck, so their times are too long: {hint}")


def _table(rows: list[Row], columns: tuple[str, ...]) -> None:
    table([name.upper() for name in columns], [[str(row[name]) for name in columns] for row in rows])
