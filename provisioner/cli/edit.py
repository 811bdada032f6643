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
    with _kept_on_error(text) as file:
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


@contextmanager
def _kept_on_error(text: str) -> Iterator[Path]:
    """A file for the editor, for nobody else's eyes. It goes when all is well, and stays for whoever needs it."""
    with tempfile.NamedTemporaryFile("wb", prefix="prov-edit-", suffix=".yaml", delete=False) as stream:
        stream.write(_bytes(text))
    file = Path(stream.name)
    try:
        yield file
    except (ProvisionerError, click.ClickException) as error:
        if not file.exists() or _saved(file) in {text, ""}:
            file.unlink(missing_ok=True)
            raise
        hint = error.hint if isinstance(error, ProvisionerError) else None
        raise ProvisionerError(f"{error.message}\nwhat you wrote is in {file}", hint=hint) from None
    except BaseException:
        # A no, an interrupt, or a plan that was only looked at.
        if file.exists():
            click.echo(f"what you wrote is in {file}", err=True)
        raise
    else:
        file.unlink(missing_ok=True)


def _saved(file: Path) -> str:
    """What the editor left, without our lines. ProvisionerError when it left no file."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        message = "the editor removed the file that it was given; nothing is written"
        raise ProvisionerError(
            message, hint="save the file to change something, leave it as it is to cancel"
        ) from None
    text = content.decode(errors="surrogateescape").replace("\r\n", "\n")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_MARK))


def _bytes(text: str) -> bytes:
    # What is not UTF-8 goes back into the editor as it came.
    return text.encode(errors="surrogateescape")


def _complaint(error: ProvisionerError) -> str:
    hint = [f"    hint: {error.hint}"] if error.hint else []
    return "".join(f"{_MARK}{line}\n" for line in [*error.message.splitlines(), *hint, _BELOW])
