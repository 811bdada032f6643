"""Entries in a person's own editor: what is saved is checked, and comes back with what is wrong about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from provisioner.cli.carry import carry
from provisioner.cli.confirm import Consent
from provisioner.cli.scratch import left, scratch
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.image.store import catalogue
from provisioner.operations.change import Draft, Plan, draft
from provisioner.operations.received import text_of
from provisioner.registry.editing import OvertakenError
from provisioner.registry.view import SiteView

# Lines of ours at the top of the file; people have no reason to begin a comment like this.
_MARK = "#! "
_BELOW = "(lines are counted from below this one)"

Names = tuple[str, ...]


def edit_entries(
    paths: Paths,
    choose: Callable[[SiteView], Names],
    read: Callable[[SiteView, Names], str],
    plan: Callable[[Names, str, str], Plan],
    consent: Consent,
) -> None:
    """Have entries edited, and carry out what was saved.

    `choose` says which, `read` gives their text, `plan` makes a change of the edited text and the one before.
    Raises ProvisionerError when the editor fails or a mistake is left in the text, and names the file that holds
    it then.
    """
    view = SiteView.of(paths)
    names = choose(view)
    text = read(view, names)
    with scratch(_bytes(text), ".yaml", lambda file: _bytes(_saved(file))) as file:
        drafted = _edited(file, text, lambda edited: draft(paths, catalogue(paths), plan(names, edited, text)))
        if drafted is None:
            click.echo("nothing to change")
        else:
            carry(drafted, consent)


def _edited(file: Path, text: str, work_out: Callable[[str], Draft]) -> Draft | None:
    """What was saved, worked out; None when nothing was changed, or all was taken out.

    Asks again while there are mistakes.
    """
    last = text
    while True:
        click.edit(filename=str(file))
        edited = _saved(file)
        if edited == text or not edited.strip():
            return None
        try:
            text_of("the edited text", _bytes(edited))
            return work_out(edited)
        except OvertakenError:
            # No other text would mend that: it is about what somebody else wrote.
            raise
        except ProvisionerError as error:
            # Whoever leaves the editor without another try has given up.
            if edited == last:
                raise
            last = edited
            file.write_bytes(_bytes(_complaint(error) + edited))


def _saved(file: Path) -> str:
    """What the editor left, without our lines. ProvisionerError when it left no file."""
    text = left(file).decode(errors="surrogateescape").replace("\r\n", "\n")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_MARK))


def _bytes(text: str) -> bytes:
    # What is not UTF-8 goes back into the editor as it came.
    return text.encode(errors="surrogateescape")


def _complaint(error: ProvisionerError) -> str:
    hint = [f"    hint: {error.hint}"] if error.hint else []
    return "".join(f"{_MARK}{line}\n" for line in [*error.message.splitlines(), *hint, _BELOW])
