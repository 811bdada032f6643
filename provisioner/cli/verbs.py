"""Groups of verbs that also answer to the names that other tools have for them, and the words that were typed."""

from __future__ import annotations

import click

# Where click's context keeps the words of the command line, without the options for the whole program.
WORDS = "provisioner.words"
# The variable by which the completion script of a shell asks.
COMPLETE = "_PROV_COMPLETE"
ALIASES = {"ls": "list", "rm": "delete", "del": "delete", "create": "add", "mv": "rename", "cp": "copy"}


class Verbs(click.Group):
    """A group in which `ls` is `list` and so on; the help shows one name for each verb."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb with this name or alias."""
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a verb; usage and errors then speak of its own name."""
        _, command, rest = super().resolve_command(ctx, args)
        return (command.name if command else None), command, rest
