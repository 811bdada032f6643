"""A root file system in a folder of this machine: a chroot, or a sandbox of Apptainer."""

from __future__ import annotations

from pathlib import Path

from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.image import apptainer, architecture, stream
from provisioner.image.build import Obtained
from provisioner.image.reference import Reference
from provisioner.image.terms import Terms
from provisioner.model.image import Origin

_PROCESSES = Path("/proc")


def obtain(reference: Reference, tree: Path, terms: Terms) -> Obtained:
    """Copy a root file system into a new directory: one file system, with links, holes and attributes.

    Raises NotFoundError when there is none, ConflictError when something runs in it, and ProvisionerError when it
    cannot be read or holds the store.
    """
    folder = _checked(reference.path, terms.store)
    terms.say(f"copy {folder}")
    done = stream.copy([*stream.TAR, "--one-file-system", f"--directory={folder}", "."], tree, terms)
    if done.status not in (0, 1):
        raise ProvisionerError(f"{folder} cannot be read: {done.errors.strip()[-500:]}")
    left_out = apptainer.forget(tree)
    platform = architecture.of_tree(tree)
    architecture.demand(platform, terms.platform, str(folder))
    origin = Origin(kind=reference.kind, reference=reference.text, platform=platform)
    return Obtained(origin, done.newest, (*done.warnings, *left_out), may_be_base=True)


def _checked(folder: Path, store: Path) -> Path:
    if not folder.is_dir():
        raise NotFoundError(f"{folder} is no folder")
    real = folder.resolve()
    running = "prov image import ssh://localhost NAME copies the root of this machine"
    if real.samefile("/"):
        raise ProvisionerError(f"{folder} is the root of this machine", hint=running)
    if store.resolve().is_relative_to(real):
        raise ProvisionerError(f"{folder} holds the image store itself", hint=running)
    user = _who_runs_in(real)
    if user is not None:
        hint = "stop what runs in it; prov image import ssh://HOST NAME copies a system that runs"
        raise ConflictError(f"process {user} has {folder} as its root", hint=hint)
    return real


def _who_runs_in(folder: Path) -> int | None:
    """The first process whose root a folder is."""
    wanted = folder.stat()
    for process in _PROCESSES.iterdir():
        if not process.name.isdigit():
            continue
        try:
            found = (process / "root").stat()
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
            return int(process.name)
    return None
