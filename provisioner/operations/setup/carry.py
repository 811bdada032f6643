"""The actions of a plan carried out, one after the other, below the root that they are meant for."""

from __future__ import annotations

import os
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.host.files import write_atomically
from provisioner.host.run import run
from provisioner.operations.init import init_site
from provisioner.operations.setup.look import below, paths_below
from provisioner.operations.setup.steps import Action, Append, Link, MakeSite, Run, Step, Write
from provisioner.trust.sitekey import SiteKey

# What is made is read by the daemon through its group, whatever the umask of the person.
_UMASK = 0o022


def carry_out(step: Step, prefix: Path) -> None:
    """Do what a step says. Raises ProvisionerError that names the step; a second run goes on from there."""
    before = os.umask(_UMASK)
    try:
        for action in step.actions:
            _do(action, prefix)
    except (ProvisionerError, OSError) as error:
        hint = getattr(error, "hint", None) or "type the same command again once that is mended"
        raise ProvisionerError(f"{step.name}: {error}", hint=hint) from error
    finally:
        os.umask(before)


def _do(action: Action, prefix: Path) -> None:
    if isinstance(action, Run):
        run(action.words, timeout=action.seconds)
    elif isinstance(action, Write):
        write_atomically(below(prefix, action.path), action.content, mode=action.mode)
    elif isinstance(action, Append):
        _append(below(prefix, action.path), action.line)
    elif isinstance(action, Link):
        below(prefix, action.path).symlink_to(action.target)
    elif isinstance(action, MakeSite):
        init_site(paths_below(prefix), action.new)
    else:
        SiteKey.load_or_create(paths_below(prefix).keys)


def _append(path: Path, line: str) -> None:
    text = path.read_text()
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    mode = path.stat().st_mode & 0o7777
    write_atomically(path, f"{ended}{line}\n".encode(), mode=mode)
