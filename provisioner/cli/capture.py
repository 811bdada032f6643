"""`prov capture`: the packets of one machine, and what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import click

from provisioner.cli import complete, output
from provisioner.config.paths import Paths


@click.command("capture")
@click.argument("name", metavar="NODE|MAC", shell_complete=complete.node)
@click.option("--seconds", type=click.FloatRange(0.1, 86400), default=300, show_default=True, help="For how long.")
@click.option(
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the packets here, as pcapng, or as pcap where the name ends so.",
)
@click.option("--limit", type=click.IntRange(1, 1 << 20), default=64, show_default=True, help="MiB of the file.")
@click.option(
    "--device", "devices", multiple=True, metavar="DEVICE", help="Listen here, not on the site's devices."
)
@click.option("--secrets", is_flag=True, help="Keep tokens and contents in the file; do not give it away.")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", help="How to print.")
@click.pass_obj
def command(
    paths: Paths,
    /,
    *,
    name: str,
    seconds: float,
    file: Path | None,
    limit: int,
    devices: tuple[str, ...],
    secrets: bool,
    style: str,
) -> None:
    """Listen to what a machine and the head node say while it boots, and explain every message as it comes.

    Behind each question stands what the policy of the site answers to it; lines with = are events of the daemon.
    Needs root. It ends after --seconds, when the file is full, or by Ctrl-C.
    """
    from provisioner.operations.capture.session import Capture, Wish, target_of

    target = target_of(paths, name, devices)
    capture = Capture(paths, target, Wish(seconds=seconds, output=file, limit=limit << 20, secrets=secrets))
    what = f"listening to {name} on {', '.join(target.devices)} for {seconds:g} s"
    with suppress(KeyboardInterrupt), closing(capture.lines(lambda: output.say(what, err=True))) as lines:
        _print(lines, style)
    account = capture.account
    kept = f", kept in {file}" if file else ""
    output.say(f"{account.frames} packets{kept}", err=True)
    if account.dropped:
        output.say(f"warning: {account.dropped} packets came too fast and are missing", err=True)
    if account.is_full:
        output.say(f"warning: the file is full ({limit} MiB); --limit", err=True)


def _print(lines: Iterable[object], style: str) -> None:
    from dataclasses import asdict

    started: float | None = None
    for line in lines:
        told = asdict(line)  # type: ignore[call-overload] # a dataclass of operations, imported lazily
        if style == "json":
            click.echo(json.dumps(told, ensure_ascii=False))
            continue
        started = told["time"] if started is None else started
        output.say(
            f"{told['time'] - started:8.3f} {told['way']} {told['service']:<6} {output.printable(told['text'])}"
        )
        if told["policy"]:
            output.say(f"{'':17} policy: {output.printable(told['policy'])}")
