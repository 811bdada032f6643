"""Entries in a person's own editor: what is saved is checked, and comes back with what is wrong about it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from provisioner.cli.carry import carry
from provisioner.cli.confirm import Consent
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.image.store import catalogue
from provisioner.operations.change import Draft, Plan, draft
from provisioner.registry.view import SiteView

# Lines of ours at the top of the file; people have no reason to begin a comment like this.
_MARK = "#! "
_BELOW = "(lines are counted from below this one)"

Names = tuple[str, ...]


def edit_entries(
    paths: Paths,
    choose: Callable[[SiteView], Names],
    read: Callable[[SiteView, Names], str],
    plan: Callable[[Names, str], Plan],
    consent: Consent,
) -> None:
    """Have entries edited, and carry out what was saved.

    `choose` says which, `read` gives their text, `plan` makes a change of the edited text. Raises ProvisionerError
    when the editor fails or a mistake is left in the text, and names the file that holds it then.
    """
    view = SiteView.of(paths)
    names = choose(view)
    text = read(view, names)
    with _kept_on_error(text) as file:
        drafted = _edited(file, text, lambda edited: draft(paths, catalogue(paths), plan(names, edited)))
        if drafted is None:
            click.echo("nothing to change")
        else:
            carry(drafted, consent)


def _edited(file: Path, text: str, work_out: Callable[[str], Draft]) -> Draft | None:
    """What was saved, worked out; None when nothing was changed. Asks again while there are mistakes."""
    complaint = ""
    while True:
        before = _with_complaint(complaint, _without_complaint(file.read_text()))
        file.write_text(before)
        click.edit(filename=str(file))
        after = file.read_text()
        edited = _without_complaint(after)
        if edited == text:
            return None
        try:
            return work_out(edited)
        except ProvisionerError as error:
            # Whoever leaves the editor without another try has given up.
            if complaint and after == before:
                raise
            hint = [f"    hint: {error.hint}"] if error.hint else []
            complaint = "\n".join([error.message, *hint, _BELOW])


@contextmanager
def _kept_on_error(text: str) -> Iterator[Path]:
    """A file for the editor, for nobody else's eyes. It goes when all is well, and stays for whoever needs it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="prov-edit-", suffix=".yaml", delete=False, encoding="utf-8"
    ) as stream:
        stream.write(text)
    file = Path(stream.name)
    try:
        yield file
    except (ProvisionerError, click.ClickException) as error:
        if _without_complaint(file.read_text()) == text:
            file.unlink()
            raise
        hint = error.hint if isinstance(error, ProvisionerError) else None
        raise ProvisionerError(f"{error.message}\nwhat you wrote is in {file}", hint=hint) from None
    except BaseException:
        # A no, an interrupt, or a plan that was only looked at.
        click.echo(f"what you wrote is in {file}", err=True)
        raise
    else:
        file.unlink()


def _with_complaint(complaint: str, text: str) -> str:
    return "".join(f"{_MARK}{line}\n" for line in complaint.splitlines()) + text


def _without_complaint(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_MARK))
