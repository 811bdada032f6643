"""The `prov` command: global options, lazily loaded sub-commands, errors to exit codes."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from provisioner import __version__
from provisioner.cli.output import say
from provisioner.cli.verbs import COMPLETE, WORDS
from provisioner.config.paths import ROOT_VARIABLE, Paths
from provisioner.errors import ProvisionerError

# Sub-command: its module below provisioner.cli and its one-line help, so that `prov --help` imports nothing.
COMMANDS = {
    "setup": ("setup", "Make this machine a head node."),
    "init": ("init", "Make a new site."),
    "node": ("node", "Add, change, list, show and delete nodes."),
    "group": ("group", "Add, change, list, show and delete groups."),
    "apply": ("apply", "Carry out what files say of nodes and groups, as one change."),
    "plan": ("plan", "Show what nodes would boot differently."),
    "check": ("check", "Check everything that is written, and name every mistake."),
    "why": ("why", "Show where a value of a node comes from."),
    "simulate": ("simulate", "Rehearse the boots of nodes, step by step."),
    "doctor": ("doctor", "Name what is wrong, and what to type."),
    "discover": ("discover", "List machines that are no nodes, and accept them."),
    "history": ("history", "Show what was changed, when and by whom."),
    "undo": ("undo", "Take a change back."),
    "import": ("import_", "Take over nodes from another system."),
    "export": ("export", "Write node lists for other programs."),
    "image": ("image", "Build, import, list and show images."),
    "overlay": ("overlay", "List, show, change and render overlays."),
    "secret": ("secret", "Set, list and delete secrets."),
    "keys": ("keys", "Show the keys of the site, and rotate those that sign."),
    "secureboot": ("secureboot", "Make a key for Secure Boot, sign with it, and bring it into firmware."),
    "tpm": ("tpm", "Show the TPMs of nodes, enrol them, and accept what they measured."),
    "switch": ("switch", "Take nodes from one image to another, and back."),
    "serve": ("serve", "Run the daemon."),
    "status": ("status", "Show what every node does and runs."),
    "boot": ("boot", "Show how nodes booted, step by step."),
    "events": ("events", "Show what the daemon saw, of every machine."),
    "capture": ("capture", "Capture and explain the packets of a machine."),
    "support": ("support", "Write an archive for those who help, without secrets."),
    "lab": ("lab", "Boot virtual nodes on this machine."),
    "completion": ("completion", "Print the completion script of a shell."),
}


# Commands that run for as long as the machine does.
_LASTING = frozenset({"serve", "lab", "capture"})
_RARELY = (200_000, 50, 100)


class LazyGroup(click.Group):
    """A group that imports a sub-command only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of a first session."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one sub-command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"provisioner.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a sub-command, and remember what was typed for whoever records it."""
        ctx.meta[WORDS] = list(args)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of sub-commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="prov")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=ROOT_VARIABLE,
    help="Keep the whole site below this directory (default: /etc, /var/lib and /run/provisioner).",
)
@click.option("-v", "--verbose", is_flag=True, help="Log every program that is run, and more.")
@click.pass_context
def prov(context: click.Context, root: Path | None, *, verbose: bool) -> None:
    """Boot a cluster from images, and see what will happen, what is happening and what happened."""
    from provisioner import log

    log.configure(verbose=verbose)
    context.obj = Paths.below(root)
    if context.invoked_subcommand not in _LASTING:
        # What a command makes it keeps until it ends; looking for garbage in it would take half of its time.
        gc.set_threshold(*_RARELY)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; the only place that turns an error into an exit status."""
    if COMPLETE in os.environ:
        from provisioner.cli import bash

        bash.install()
    try:
        return prov(args=arguments, prog_name="prov", complete_var=COMPLETE)
    except ProvisionerError as error:
        _fail(error.message, error.hint, error.exit_code)
    except OSError as error:
        _fail(_refusal(error), _rights(error), ProvisionerError.exit_code)


def _fail(message: str, hint: str | None, status: int) -> NoReturn:
    say(f"prov: {message}", err=True)
    if hint:
        say(f"    hint: {hint}", err=True)
    sys.exit(status)


def _refusal(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{reason}: {os.fsdecode(error.filename)}"


def _rights(error: OSError) -> str | None:
    if not isinstance(error, PermissionError):
        return None
    return (
        "run prov as root or as a member of the group that owns the file, or name a site of your own: --root DIR"
    )
