"""Make a tree of Enterprise Linux with dnf: this machine's into an empty root, else the image's own.

Nothing of this machine's own configuration is used, and `SOURCE_DATE_EPOCH` is what rpm (4.18 and newer) takes for
the time of installation, so equal packages give equal trees, the rpm database included.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import CommandError, ProvisionerError, UnavailableError
from provisioner.host.run import require, run
from provisioner.image import chamber, dnfconf, inside, installroot
from provisioner.image.dnfconf import ARCHITECTURE, Setup
from provisioner.image.recipe import DnfRecipe, RpmDatabase

# Where the folder of dnf's configuration is seen in the image.
_SEEN = "/run/provisioner-build"
_INSIDE = ("dnf", "microdnf", "yum")
_FOLDER = "dnf"
_QUERY = ("rpm", "-qa", "--qf", "%{NAME} %{BUILDTIME}\\n")
_TAIL = 15
_HOOKS = "/etc/kernel/install.d"
# Stage 1 comes from the machine that builds, and an initramfs of the image would only cost time.
_NO_INITRAMFS = ("50-dracut.install", "51-dracut-rescue.install")
_NOWHERE = "/dev/null"
_LOCK = ".rpm.lock"
_BDB = "bdb"


@dataclass(frozen=True, slots=True)
class Installed:
    """When the newest package was built, in Unix seconds, and what a person should know."""

    newest: int
    warnings: tuple[str, ...] = ()


def make_tree(recipe: DnfRecipe, tree: Path, *, work: Path, log: Path) -> Installed:
    """Fill a new directory by a recipe with this machine's dnf.

    `work` is a folder for everything that dnf writes besides. All output goes to `log`; its end is in the
    CommandError of a failure.
    """
    _require_dnf()
    log.unlink(missing_ok=True)
    installroot.prepare(tree)
    return _from_outside(recipe, tree, work=work, log=log)


def add_to_tree(recipe: DnfRecipe, tree: Path, *, work: Path, log: Path, own_repositories: bool) -> Installed:
    """Install a recipe into a tree that has a system, with the image's own dnf, microdnf or yum where it has one.

    With `own_repositories` those that the image knows are used, else those of the recipe.
    """
    log.unlink(missing_ok=True)
    program = next((each for each in _INSIDE if _has(tree, f"/usr/bin/{each}")), None)
    if program is None:
        _require_dnf()
        warning = "the image has no dnf of its own: this machine's wrote its package database"
        done = _from_outside(recipe, tree, work=work, log=log)
        return Installed(done.newest, (warning, *done.warnings))
    setup = Setup(work / _FOLDER, _SEEN, own_repositories)
    local = dnfconf.write(recipe, setup, logs=f"{_SEEN}/log")
    masked = _mask_initramfs(tree)
    _from_inside(recipe, tree, program, setup, local, log=log)
    _unmask_initramfs(tree, masked)
    newest = _newest(_ask_inside(tree, work / "answer"), recipe.epoch)
    _settle_database(tree, recipe.rpmdb)
    return Installed(newest)


def _from_outside(recipe: DnfRecipe, tree: Path, *, work: Path, log: Path) -> Installed:
    setup = Setup(work / _FOLDER, str(work / _FOLDER))
    masked = _mask_initramfs(tree)
    # dnf puts the folder of its logs below the root that it installs into, where /tmp is not kept.
    with tempfile.TemporaryDirectory(prefix="prov-dnf-", dir="/tmp") as logs:
        dnfconf.write(recipe, setup, logs=logs)
        root = [f"--installroot={tree}", f"--releasever={recipe.release}", f"--forcearch={ARCHITECTURE}"]
        for words in _steps(recipe):
            _outside(["dnf", *setup.words, *root, *words], tree, environment=_environment(recipe, setup), log=log)
    _unmask_initramfs(tree, masked)
    query = ["rpm", "--root", str(tree), "--dbpath", recipe.rpmdb.path, *_QUERY[1:]]
    newest = _newest(run(query, environment=_environment(recipe, setup)), recipe.epoch)
    _settle_database(tree, recipe.rpmdb)
    if recipe.rpmdb.form == _BDB:
        _convert(recipe, tree, setup, log=log)
    return Installed(newest)


def _from_inside(
    recipe: DnfRecipe, tree: Path, program: str, setup: Setup, local: tuple[str, ...], *, log: Path
) -> None:
    """Let a program of the image install everything; `local` are binds for repositories of this machine."""
    network = setup.own_repositories or len(local) < len(recipe.repositories)
    binds = [f"{setup.folder}:{_SEEN}", *local]
    options = [f"--releasever={recipe.release}"] if not setup.own_repositories else []
    for words in _steps(recipe):
        command = [program, *setup.words, *options, *words]
        environment = _environment(recipe, setup)
        chamber.check_inside(tree, command, log=log, binds=binds, environment=environment, network=network)


def _ask_inside(tree: Path, answer: Path) -> str:
    """What the image's rpm says of its packages; `answer` must lie where no program of the image can write."""
    status = chamber.run_inside(tree, _QUERY, log=answer)
    return answer.read_text(errors="replace") if status == 0 else ""


def _steps(recipe: DnfRecipe) -> list[list[str]]:
    """What dnf is asked to do, one run after the other."""
    wanted = [*recipe.packages, *(f"@{group}" for group in recipe.groups)]
    if not wanted:
        raise ProvisionerError("the recipe names no packages", hint="add packages or groups to it")
    # A container may have a small variant of a package in place of the one that is asked for.
    steps = [["-y", "--allowerasing", "install", *wanted]]
    return [*steps, ["-y", "remove", *recipe.remove]] if recipe.remove else steps


def _outside(words: list[str], tree: Path, *, environment: Mapping[str, str], log: Path) -> None:
    try:
        with log.open("ab") as stream:
            installroot.run_for(tree, words, output=stream, environment=environment)
    except CommandError as error:
        lines = log.read_text(errors="replace").strip().splitlines()[-_TAIL:]
        output = "\n".join([*lines, *filter(None, [error.output])])
        message = f"dnf failed with status {error.status}; the end of {log}:\n{output}"
        hint = "check that the repositories answer, or name others with --repo NAME=URL or --mirror URL"
        raise CommandError(message, status=error.status, output=output, hint=hint) from None


def _environment(recipe: DnfRecipe, setup: Setup) -> dict[str, str]:
    return {"SOURCE_DATE_EPOCH": str(recipe.epoch), "HOME": setup.home}


def _newest(text: str, fallback: int) -> int:
    """The build time of the newest package; keys count as packages, and say when they were made or imported."""
    rows = [line.split() for line in text.splitlines()]
    times = [int(row[1]) for row in rows if len(row) == 2 and row[0] != "gpg-pubkey" and row[1].isdigit()]
    return max(times, default=fallback)


def _mask_initramfs(tree: Path) -> list[str]:
    """Switch hooks of the image off that are not off already, and return them."""
    folder = inside.resolve(tree, _HOOKS)
    folder.mkdir(parents=True, exist_ok=True)
    masked = [name for name in _NO_INITRAMFS if not os.path.lexists(folder / name)]
    for name in masked:
        (folder / name).symlink_to(_NOWHERE)
    return masked


def _unmask_initramfs(tree: Path, masked: list[str]) -> None:
    for name in masked:
        # Programs of the image have run since: the place is looked for again.
        hook = inside.locate(tree, f"{_HOOKS}/{name}")
        if hook.is_symlink() and str(hook.readlink()) == _NOWHERE:
            hook.unlink()


def _settle_database(tree: Path, database: RpmDatabase) -> None:
    """Remove what only a running rpm needs, and what differs from run to run; a log with content stays."""
    folder = inside.resolve(tree, database.path)
    (folder / _LOCK).unlink(missing_ok=True)
    log = folder / "rpmdb.sqlite-wal"
    if inside.is_regular(log) and log.stat().st_size == 0:
        log.unlink()
        (folder / "rpmdb.sqlite-shm").unlink(missing_ok=True)


def _convert(recipe: DnfRecipe, tree: Path, setup: Setup, *, log: Path) -> None:
    """Give the image's own rpm its database: this machine's rpm exports what the image's imports."""
    folder, export = inside.resolve(tree, recipe.rpmdb.path), setup.folder / "packages"
    with export.open("wb") as stream:
        run(["rpmdb", "--dbpath", folder, "--exportdb"], stdout=stream)
    for file in folder.iterdir():
        file.unlink()
    command = ["/bin/sh", "-c", f"rpmdb --importdb < {_SEEN}"]
    chamber.check_inside(tree, command, log=log, binds=[f"{export}:{_SEEN}:ro"])


def _require_dnf() -> None:
    for program in ("dnf", "rpm"):
        try:
            require(program)
        except UnavailableError as error:
            message = f"{error.message}, and recipes of the kind dnf need it"
            raise UnavailableError(message, hint=error.hint) from None


def _has(tree: Path, path: str) -> bool:
    place = inside.follow(tree, path)
    return place is not None and inside.is_regular(place)
